package vbr

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/openvbr/openvbr/bgp"
	"github.com/openvbr/openvbr/fib"
)

// portUnderTest is a router with one established peer and a route of its, whose port's carrier is the test's to take away.
type portUnderTest struct {
	*observed
	lit     bool
	err     error
	speaker *admitting
}

// admitting is a speaker that remembers whom it has sessions with.
type admitting struct {
	mute
	peers []bgp.Peer
	sets  int
	told  []netip.Addr
}

func (s *admitting) SetPeers(peers []bgp.Peer) error {
	s.peers, s.sets = peers, s.sets+1
	return nil
}

func (s *admitting) Tell(_ context.Context, peer netip.Addr) error {
	s.told = append(s.told, peer)
	return nil
}

func newPortUnderTest(t *testing.T) *portUnderTest {
	c := &portUnderTest{observed: newObserved(t), lit: true, speaker: &admitting{}}
	c.observed.host.carrier = func(string) (bool, error) { return c.lit, c.err }
	c.router.devices = map[int]bool{2: true, 3: true}
	c.setPeers(c.speaker, c.peersNow(c.spec))
	c.up("10.0.0.2")
	(*customer)(c.router).Update(bgp.Update{Peer: addrOf("10.0.0.2"), Announced: []netip.Prefix{netip.MustParsePrefix(prefix)},
		Attrs: &bgp.Attrs{NextHop: addrOf("10.0.0.2"), ASPath: []bgp.Segment{{Type: 2, ASNs: []uint32{65001}}}}})
	c.turn()
	return c
}

// turn is what the actor does when it is woken, but for looking at devices.
func (c *portUnderTest) turn() {
	c.takeCuts()
	due := c.dueToTell(time.Now())
	c.actFor(200 * time.Millisecond)
	c.admit(c.speaker)
	c.router.tell(c.t.Context(), c.speaker, due)
}

// mend is what looking at the devices finds when the carrier is back.
func (c *portUnderTest) mend() {
	c.lit = true
	c.observed.host.lookAtCarriers()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.Lines[0].Up = !c.observed.host.carriers.isDark("port0")
	c.setLinksUp(c.state)
	c.arrangeWatches(c.spec)
}

func (c *portUnderTest) wantPeers(want int) {
	c.t.Helper()
	if len(c.speaker.peers) != want {
		c.t.Errorf("sessions with %v, want %d", c.speaker.peers, want)
	}
}

// A port that is found dark takes the routes along before the devices say anything, and then the sessions; both come back with it.
func TestPortDark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newPortUnderTest(t)
		c.fakeRouter.want("", prefix)
		c.wantPeers(3)
		c.lit = false
		c.observed.host.lookAtCarriers()
		if !c.takeCuts() {
			t.Fatal("nothing is cut")
		}
		c.fakeRouter.want("") // by one message, the actor has written nothing
		if got := c.rib.Lookup(netip.MustParsePrefix(prefix))[0].Verdict.String(); got != "link-down" {
			t.Errorf("verdict %s", got)
		}
		c.turn()
		c.wantPeers(0)
		(*customer)(c.router).PeerState(bgp.PeerState{Peer: addrOf("10.0.0.2"), State: "removed", Reason: "removed from the configuration", At: time.Now()})
		if got := c.records.sessions[addrOf("10.0.0.2")].lastError; got != "line port0 is down" {
			t.Errorf("the session ended because %q", got)
		}
		sets := c.speaker.sets
		c.observed.host.lookAtCarriers()
		c.turn()
		if c.speaker.sets != sets {
			t.Error("the peers were set again for nothing")
		}
		c.mend()
		c.turn()
		c.wantPeers(3)
		c.up("10.0.0.2")
		c.say("10.0.0.2", prefix, 65001)
		c.turn()
		c.fakeRouter.want("", prefix)
	})
}

// A port that is back before the sessions over it were ended gives them their routes back: nobody will tell them again.
func TestPortBackAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newPortUnderTest(t)
		c.lit = false
		c.observed.host.lookAtCarriers()
		if !c.takeCuts() {
			t.Fatal("nothing is cut")
		}
		c.actFor(200 * time.Millisecond) // as inspect does before it looks
		c.fakeRouter.want("")
		sets := c.speaker.sets
		c.mend()
		c.turn()
		c.fakeRouter.want("", prefix)
		if c.speaker.sets != sets {
			t.Error("sessions were ended")
		}
	})
}

// What the kernel reports of a device counts if it is so still, and addresses that go are no cut.
func TestDeviceDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			name string
			hint fib.Hint
			lit  bool
			err  error
			cut  bool
		}{
			{"down", fib.Hint{Device: 2, Down: true}, false, nil, true},
			{"up again meanwhile", fib.Hint{Device: 2, Down: true}, true, nil, false},
			{"cannot be asked: the devices are looked at", fib.Hint{Device: 2, Down: true}, false, errors.New("a message was lost"), false},
			{"gone with its port", fib.Hint{Device: 2, Down: true}, false, fmt.Errorf("carrier: %w", unix.ENODEV), true},
			{"an address went", fib.Hint{Device: 2}, false, nil, false},
			{"another's", fib.Hint{Device: 7, Down: true}, false, nil, false},
		} {
			c := newPortUnderTest(t)
			c.lit, c.err = tt.lit, tt.err
			c.observed.host.hint(tt.hint)
			if got := c.takeCuts(); got != tt.cut {
				t.Errorf("%s: cut %v, want %v", tt.name, got, tt.cut)
			}
		}
	})
}

// A VLAN that somebody deletes from its port is no cut: it is made again.
func TestLineDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newPortUnderTest(t)
		s := *c.spec
		s.link.Lines = slices.Clone(s.link.Lines)
		s.link.Lines[0].Device = "port0.100"
		c.spec = &s
		there := map[string]bool{"port0": true}
		c.observed.host.carrier = func(device string) (bool, error) {
			if !there[device] {
				return false, unix.ENODEV
			}
			return true, nil
		}
		c.observed.host.hint(fib.Hint{Device: 2, Down: true})
		if c.takeCuts() {
			t.Error("cut though its port is there")
		}
		there["port0"] = false
		c.observed.host.hint(fib.Hint{Device: 2, Down: true})
		if !c.takeCuts() {
			t.Error("not cut though its port is gone")
		}
	})
}

// A port that cannot be asked is not dark, and one without lines is forgotten.
func TestCarriers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newPortUnderTest(t)
		h := c.observed.host
		c.lit, c.err = false, errors.New("no such device")
		h.lookAtCarriers()
		if h.carriers.isDark("port0") || c.takeCuts() {
			t.Error("a port that cannot be asked is dark")
		}
		c.err = nil
		h.lookAtCarriers()
		c.spec.link.Lines = nil
		h.lookAtCarriers()
		if h.carriers.isDark("port0") {
			t.Error("a port that no line is on is remembered")
		}
	})
}
