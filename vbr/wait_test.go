package vbr

import (
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openvbr/openvbr/bgp"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/rib"
)

// A peer that comes back with its line is told of the VPC once its own routes are in the kernel.
func TestHeardOutFirst(t *testing.T) {
	for _, tt := range []struct {
		name string
		eor  bool
		want time.Duration // after the session is up
	}{{"End-of-RIB", true, time.Second}, {"none", false, hearFirst}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newPortUnderTest(t)
				peer, r := addrOf("10.0.0.2"), c.router
				waits := func() bool {
					return slices.ContainsFunc(r.peersNow(r.spec), func(p bgp.Peer) bool { return p.Address == peer && p.Wait })
				}
				if waits() {
					t.Error("a session that stands would wait")
				}
				c.lit = false
				c.observed.host.lookAtCarriers()
				(*customer)(r).EndOfRIB(peer, false)
				time.Sleep(time.Minute)
				c.turn()
				c.turn()
				c.mend()
				c.turn()
				c.turn()
				if c.speaker.told != nil {
					t.Errorf("the session that ends: told %v", c.speaker.told)
				}
				(*customer)(r).PeerState(bgp.PeerState{Peer: peer, State: "removed", At: time.Now()})
				if !slices.ContainsFunc(c.speaker.peers, func(p bgp.Peer) bool { return p.Address == peer && p.Wait }) {
					t.Errorf("let in without a wait: %+v", c.speaker.peers)
				}
				c.up("10.0.0.2")
				began := time.Now()
				for c.speaker.told == nil && time.Since(began) < time.Minute {
					c.turn()
					if time.Since(began) >= time.Second && tt.eor && !r.sessions[peer].synced {
						c.say("10.0.0.2", prefix, 65001)
						(*customer)(r).EndOfRIB(peer, false)
					}
				}
				if took := time.Since(began); took < tt.want || took > tt.want+500*time.Millisecond || len(c.speaker.told) != 1 || c.speaker.told[0] != peer {
					t.Errorf("told %v after %v, want %v after %v", c.speaker.told, took, peer, tt.want)
				}
				if tt.eor {
					c.fakeRouter.want("", prefix)
				}
				c.turn()
				if len(c.speaker.told) != 1 || waits() {
					t.Errorf("told again: %v, or waits: %v", c.speaker.told, waits())
				}
			})
		})
	}
}

// New peers wait; those that a predecessor has left routes of do not: its own restart is no reason for them to lose ours.
func TestNewPeersWait(t *testing.T) {
	for _, adopted := range []bool{false, true} {
		o := newObserved(t)
		r := o.router
		if adopted {
			r.adopted = map[int]rib.SourceID{2: r.rib.AddSource(adoptedSource(rib.BGP, 2, nil))}
		}
		r.sessions = make(map[netip.Addr]*session)
		r.mu.Lock()
		r.arrangeSessions(r.spec, r.state)
		r.mu.Unlock()
		for _, p := range r.peersNow(r.spec) {
			if p.Wait == adopted {
				t.Errorf("adopted %v: %v waits: %v", adopted, p.Address, p.Wait)
			}
		}
	}
}

// While a peer is heard out, explain says that it is not told yet, why, and when it will be at the latest; afterwards it is told.
func TestExplainWait(t *testing.T) {
	o := newObserved(t)
	peer := addrOf("10.0.0.2")
	o.up("10.0.0.2")
	o.vpcSays("10.7.0.0/16")
	o.act()
	told := func() *vbrv1.Told {
		e, err := o.host.Explain("vbr-acme", "10.7.0.0/16")
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(e.Told, func(x *vbrv1.Told) bool { return x.Neighbour == peer.String() })
		return e.Told[i]
	}
	if x := told(); !x.GetTold() || x.GetWhy() != "" {
		t.Errorf("a session that stands: %v", x)
	}
	o.mu.Lock()
	o.sessions[peer].untold = true
	since := o.records.sessions[peer].since
	o.mu.Unlock()
	want := "not yet: the session is new and its peer has not sent End-of-RIB (RFC 4724); it is told then, or at " + since.Add(3*time.Second).UTC().Format(time.TimeOnly) +
		", 3s after the session came up, as peers that send none are"
	if x := told(); x.GetTold() || x.GetWhy() != want || !x.GetSince().AsTime().Equal(since) {
		t.Errorf("one that is heard out: %v\nwant %s", x, want)
	}
	o.tellNow(t, peer, since)
	if x := told(); !x.GetTold() {
		t.Errorf("heard out: %v", x)
	}
}

// tellNow has the actor tell whom it owes, once the time for it has come.
func (o *observed) tellNow(t *testing.T, peer netip.Addr, since time.Time) {
	t.Helper()
	if due := o.dueToTell(since.Add(hearFirst - time.Millisecond)); len(due) != 0 {
		t.Errorf("due before its time: %v", due)
	}
	due := o.dueToTell(since.Add(hearFirst))
	if !slices.Equal(due, []netip.Addr{peer}) {
		t.Errorf("due: %v", due)
	}
	o.router.tell(t.Context(), mute{}, due)
}
