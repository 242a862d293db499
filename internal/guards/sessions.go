package guards

// sessions are bounds of what a peer costs.
func sessions() []guard {
	const gobgp = "./bgp/internal/gobgp"
	return []guard{
		{"4 connections without a session", "bgp/internal/gobgp/door.go", `waiting >= halfOpen || `, ``, gobgp, "TestHalfOpenConnectionsAreFew"},
		{"connections of an address that is no neighbour's", "bgp/internal/gobgp/door.go", `if !ok || waiting`, `if false && !ok || waiting`, gobgp, "TestOnlyNeighboursEnter"},
		{"connections that their peer has given up", "bgp/internal/gobgp/door.go", `err != nil || info.State != unix.BPF_TCP_ESTABLISHED {`, `err != nil || info.State == 0 {`, gobgp, "TestGivenUpDoesNotEnter"},
		{"nothing fails after a NOTIFICATION", "bgp/internal/gobgp/conn.go", `if c.said.Load() != 0 {`, `if false {`, gobgp, "TestHoldTimeOverAtBothEnds"},
		{"a session within 10 s", "bgp/internal/gobgp/conn.go", `c.slow = time.AfterFunc(s.cfg.OpenTime, c.tooSlow)`, `c.slow = time.AfterFunc(time.Hour, c.tooSlow)`, "./bgp", "TestConnectionsWithoutASessionAreCut"},
		{"a session within 10 s: the default", "bgp/internal/gobgp/server.go", `c.OpenTime = openTime`, `c.OpenTime = time.Hour`, gobgp, "TestDefaults"},
		{"a message sent within the send hold time (RFC 9687)", "bgp/internal/gobgp/conn.go", `if !c.limited {`, `if false {`, "./bgp", "TestPeerThatDoesNotReadIsCut"},
		{"a message sent within the send hold time: the default of 30 s", "bgp/internal/gobgp/server.go", `c.SendHold = sendHold`, `c.SendHold = time.Hour`, gobgp, "TestDefaults"},
		{"route refresh once a second", "bgp/internal/gobgp/refresh.go", `if busy || now.Sub(r.last[f]) < refreshEvery {`, `if busy {`, gobgp, "TestRefreshesAreFew"},
		{"route refresh not while the answer to the last waits", "bgp/internal/gobgp/refresh.go", `if busy || now.Sub(r.last[f]) < refreshEvery {`, `if now.Sub(r.last[f]) < refreshEvery {`, gobgp, "TestRefreshesAreFew"},
		{"route refresh of a family that the session does not have", "bgp/internal/gobgp/refresh.go", `if !session.Has(f) {`, `if false {`, gobgp, "TestRefreshesAreFew"},
		{"what follows a NOTIFICATION is not heard", "bgp/internal/gobgp/conn.go", "	if c.mute.Load() { // what follows a NOTIFICATION is not heard", "	if false {", "./bgp", "TestHostile"},
	}
}
