package probe

import "time"

// line gives the line of a place, opened anew if its device is another now.
func (e *engine) line(p place) (*line, error) {
	if l := e.lines[p]; l != nil {
		if !l.stale() {
			return l, nil
		}
		e.shut(p)
	}
	c, err := e.open(p)
	if err != nil {
		if e.failing[p] != err.Error() {
			e.failing[p] = err.Error()
			e.log.Warn("cannot probe", "device", p.device, "family", p.family(), "source", p.source, "err", err)
		}
		return nil, err
	}
	delete(e.failing, p)
	l := &line{conn: c, flying: map[uint16]*task{}}
	e.lines[p] = l
	e.readers.Go(func() { c.receive(func(r reply, at time.Time) { e.deliver(arrival{l, r, at}) }) })
	return l, nil
}

// deliver hands an arrival to the engine, or drops it at the end.
func (e *engine) deliver(a arrival) {
	select {
	case e.arrivals <- a:
	case <-e.done:
	}
}

// shut closes the line of a place. What is in flight on it is lost when its time is over: no reply can come.
func (e *engine) shut(p place) {
	e.lines[p].close()
	delete(e.lines, p)
}

// free finds a sequence number that is not in flight.
func (l *line) free() (uint16, bool) {
	for range 1 << 16 {
		l.seq++
		if l.flying[l.seq] == nil {
			return l.seq, true
		}
	}
	return 0, false
}

func placeOf(c Check) place { return place{device: c.Device, source: c.Source, v4: c.Target.Is4()} }

func (p place) family() string {
	if p.v4 {
		return "ipv4"
	}
	return "ipv6"
}
