package gobgp

import (
	"testing"
	"time"

	"github.com/osrg/gobgp/v4/api"
)

// A process that was stopped knows so, before and just after it looks at the clock again.
func TestStandstill(t *testing.T) {
	var s standstill
	begin := time.Unix(1000, 0)
	if s.just(begin) {
		t.Error("before it has looked at all")
	}
	for i := range 10 {
		s.look(begin.Add(time.Duration(i) * beginEvery))
	}
	last := begin.Add(9 * beginEvery)
	if s.just(last.Add(beginEvery)) {
		t.Error("while it runs")
	}
	woken := last.Add(20 * time.Second)
	if !s.just(woken) {
		t.Error("not seen before it looks again")
	}
	s.look(woken)
	if s.look(woken.Add(beginEvery)); !s.just(woken.Add(beginEvery)) {
		t.Error("not seen just after")
	}
	for i := range 20 {
		s.look(woken.Add(time.Duration(i) * beginEvery))
	}
	if s.just(woken.Add(standstillLasts)) {
		t.Error("seen for ever")
	}
}

// Over which ends routes are held: RFC 4724 4.2, RFC 8538 4, and a hold time that is over because we stood still.
func TestHolds(t *testing.T) {
	const restart, sent = api.PeerState_DISCONNECT_REASON_GRACEFUL_RESTART, api.PeerState_DISCONNECT_REASON_NOTIFICATION_SENT
	lost, ours, theirs := Ending{Lost: true}, Ending{Code: holdTimerExpired}, Ending{Code: holdTimerExpired, ByPeer: true}
	for _, tt := range []struct {
		name         string
		reason       api.PeerState_DisconnectReason
		e            Ending
		nBit, stood  bool
		withoutGR, w bool
	}{
		{name: "connection lost", reason: restart, e: lost, w: true},
		{name: "connection lost, without graceful restart", reason: restart, e: lost, withoutGR: true},
		{name: "our hold time", reason: restart, e: ours},
		{name: "our hold time, N bit", reason: restart, e: ours, nBit: true, w: true},
		{name: "our hold time, stood still", reason: restart, e: ours, stood: true, w: true},
		{name: "the peer's hold time", reason: restart, e: theirs},
		{name: "the peer's hold time, stood still", reason: restart, e: theirs, stood: true, w: true},
		{name: "stood still, without graceful restart", reason: restart, e: ours, stood: true, withoutGR: true},
		{name: "stood still, and the peer is shut down", reason: restart, e: Ending{Code: cease, Subcode: 2, ByPeer: true}, stood: true},
		{name: "reset by us, N bit", reason: sent, e: Ending{Code: cease, Subcode: 4}, nBit: true, w: true},
		{name: "reset by us, stood still", reason: sent, e: Ending{Code: cease, Subcode: 4}, stood: true},
	} {
		x := &session{configured: true}
		if x.gr.Notification = tt.nBit; !tt.withoutGR {
			x.gr.Families = IPv4
		}
		if got := x.holds(tt.reason, tt.e, tt.stood); got != tt.w {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.w)
		}
	}
}
