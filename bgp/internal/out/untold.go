package out

// Untold says why the peer is not told a route that its table has; empty if it is told, or is to be, and if there is none.
func (s *Session) Untold(k Key) string {
	s.rib.mu.Lock()
	var e *entry
	if t := s.rib.tables[tableKey{s.table, k.family()}]; t != nil {
		e = t.entries[k]
	}
	if e == nil || !e.live() {
		s.rib.mu.Unlock()
		return ""
	}
	route := []Route{e.Route}
	s.rib.mu.Unlock()
	a, f := route[0].Attrs.Value(), k.family()
	if why := s.peer.kept(f, &a); why != "" {
		return why
	}
	enc := encoder{peer: &s.peer}
	_, room, why := enc.fit(f, &a)
	if why == "" && fitting(route, room) == 0 {
		why = TooLong
	}
	return why
}
