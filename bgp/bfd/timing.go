package bfd

import "time"

// slow is the least Desired Min TX Interval while a session is not up (RFC 5880 6.8.3).
const slow = time.Second

// interval is one of ours that the neighbour has to know before we may count on it.
type interval struct {
	want time.Duration // what our packets say
	used time.Duration // what we reckon with
}

func (i *interval) settle(d time.Duration) { i.want, i.used = d, d }

// poll is a Poll Sequence (RFC 5880 6.5).
type poll struct {
	active bool
	sent   bool // a packet of it is out
	again  bool // another change since
}

// desiredTx is bfd.DesiredMinTxInterval (RFC 5880 6.8.3).
func (f *fsm) desiredTx() time.Duration {
	if f.state != Up {
		return max(slow, f.cfg.MinTx)
	}
	return f.cfg.MinTx
}

// setTx changes bfd.DesiredMinTxInterval. While up, a longer one is not used before the neighbour knows of it (RFC 5880 6.8.3, 6.8.11).
func (f *fsm) setTx(d time.Duration) {
	if f.tx.want == d {
		return
	}
	f.tx.want = d
	if f.state != Up || d < f.tx.used {
		f.tx.used = d
	}
	f.beginPoll()
}

// setRx changes bfd.RequiredMinRxInterval. While up, a shorter one is not counted on before the neighbour knows of it (RFC 5880 6.8.3, 6.8.10).
func (f *fsm) setRx(d time.Duration) {
	if f.rx.want == d {
		return
	}
	f.rx.want = d
	if f.state != Up || d > f.rx.used {
		f.rx.used = d
	}
	f.beginPoll()
}

// beginPoll starts a Poll Sequence (RFC 5880 6.8.3), or has another one follow that which runs. A neighbour not heard yet cannot answer;
// it learns the values with the first packet.
func (f *fsm) beginPoll() {
	switch {
	case f.remote.discr == 0:
	case f.poll.sent:
		f.poll.again = true
	default:
		f.poll.active = true
	}
}

// finished ends the Poll Sequence (RFC 5880 6.5): what our packets said now holds. A Final to nothing is ignored.
func (f *fsm) finished() {
	switch {
	case !f.poll.sent:
	case f.poll.again:
		f.poll = poll{active: true}
	default:
		f.poll = poll{}
		f.tx.settle(f.tx.want)
		f.rx.settle(f.rx.want)
	}
}

// configure takes changed intervals, multiplier or role of a running session.
func (f *fsm) configure(now time.Time, cfg Session) {
	f.cfg = cfg // a changed multiplier needs no Poll Sequence (RFC 5880 6.8.12)
	f.setTx(f.desiredTx())
	f.setRx(cfg.MinRx)
	f.retime(now)
}

// retime brings the timers up to date with the intervals (RFC 5880 6.8.2).
func (f *fsm) retime(now time.Time) {
	every := max(f.tx.used, f.remote.minRx) // 6.8.7
	if at := f.sent.Add(f.jittered(every)); every < f.every && at.Before(f.sendAt) {
		f.sendAt = later(at, now) // 6.8.3: a shorter one at once, reckoned from the last packet
	}
	f.every = every
	if !f.heard.IsZero() && f.remote.discr != 0 && f.state != AdminDown {
		f.expire = f.heard.Add(f.detectTime())
	}
}

// detectTime is RFC 5880 6.8.4's for asynchronous mode; 0 before anything was heard.
func (f *fsm) detectTime() time.Duration {
	return time.Duration(f.remote.mult) * max(f.rx.used, f.remote.minTx)
}

// jittered is between 75 and 100 % of an interval, or 75 and 90 % where one packet lost is one too many (RFC 5880 6.8.7).
func (f *fsm) jittered(d time.Duration) time.Duration {
	least, span := d*3/4, d/4
	if f.cfg.DetectMult == 1 {
		span = d * 15 / 100
	}
	return least + time.Duration(f.jitter()*float64(span))
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
