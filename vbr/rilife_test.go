package vbr

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/link"
)

// passes are the states that the events tell of a router interface.
func (c *couple) passes(ri string) (texts []string) {
	all, _ := c.vbr.host.events.After(0, 1000)
	for _, e := range all {
		if e.GetType() == vbrv1.Event_TYPE_ROUTER_INTERFACE && e.GetSubject() == ri {
			texts = append(texts, e.GetText())
		}
	}
	return texts
}

// resize gives the VBR's end another spec; the kernel answers with err.
func (c *couple) resize(t *testing.T, size string, err error) {
	r := c.vbr
	next := *r.spec
	next.ris = slices.Clone(next.ris)
	next.ris[0].size = size
	r.relimit(compare(r.spec, &next).risChanged)
	if got := r.interfaces["ri-line"].state; got != riModifying {
		t.Fatalf("before the kernel has %s: %s", size, got)
	}
	state := r.state
	state.Pairs = slices.Clone(state.Pairs)
	state.Pairs[0].Err = err
	r.mu.Lock()
	r.arrange(&next, state)
	r.vpc[0].mated = true
	r.mu.Unlock()
	c.act(t)
}

// A change of spec passes Modifying and touches no route, not even while the kernel refuses it.
func TestModifying(t *testing.T) {
	c := newCouple(t)
	p := netip.MustParsePrefix("172.20.0.0/16")
	c.say(p)
	c.act(t)
	written := c.writes()
	flows := func(when string) {
		t.Helper()
		if a, b := came(c.vbr), came(c.vpc); len(a) != 1 || len(b) != 1 {
			t.Errorf("%s: the VBR has %v, the VPC %v", when, a, b)
		}
		if got := c.writes(); got != written {
			t.Errorf("%s: %d writes to the kernel", when, got-written)
		}
	}
	began := len(c.passes("ri-line"))
	c.resize(t, "Small.1", nil)
	flows("changed")
	c.resize(t, "Large.1", errors.New("the qdisc is not ours"))
	flows("refused")
	if s := c.vbr.host.RouterStatus("vbr-acme").GetRouterInterfaces()[0]; s.GetStatus() != "Modifying" || !strings.Contains(s.GetReason(), "the qdisc is not ours") {
		t.Errorf("refused: %s: %s", s.GetStatus(), s.GetReason())
	}
	if e, err := c.vbr.host.Explain("vbr-acme", p.String()); err != nil || !e.GetTold()[0].GetTold() {
		t.Errorf("the VPC is not told: %v %v", e, err)
	}
	c.turnOff(c.vbr, false) // as an inspection does that finds all well
	c.vbr.mu.Lock()
	state := c.vbr.state
	state.Pairs[0].Err = nil
	c.vbr.arrange(c.vbr.spec, state)
	c.vbr.vpc[0].mated = true
	c.vbr.mu.Unlock()
	c.act(t)
	flows("in the end")
	want := []string{
		"Modifying, was Active: spec changes from none to Small.1: the kernel is about to have its limit", "Activating, was Modifying", "Active, was Activating",
		"Modifying, was Active: spec changes from Small.1 to Large.1: the kernel is about to have its limit", "Activating, was Modifying", "Active, was Activating",
	}
	if diff := cmp.Diff(want, c.passes("ri-line")[began:]); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// The last that is heard of a router interface is Deleted, once the kernel has nothing of it; of one that another takes the place of, before that one begins.
func TestDeleted(t *testing.T) {
	c := newCouple(t)
	c.act(t)
	r := c.vpc
	last := func(n int) []string {
		all := c.passes("ri-vpc")
		return all[max(0, len(all)-n):]
	}
	r.partWith(r.spec.ris)
	if got := last(1); got[0] != "Deleting, was Active: it is being deleted" {
		t.Errorf("parted with: %q", got)
	}
	r.parted(func(string) bool { return false })
	if got := last(1); !strings.HasPrefix(got[0], "Deleting") {
		t.Errorf("something is left: %q", got)
	}
	for range 2 { // it is said once
		r.parted(anyInterface)
	}
	if got := last(2); got[0] != "Deleting, was Active: it is being deleted" || got[1] != "Deleted, was Deleting: nothing of it is left" {
		t.Errorf("gone: %q", got)
	}
	r.unsettle()
	c.act(t) // it is there again, as the spec still has it
	if got := c.vpc.interfaces["ri-vpc"].state; got != riActive {
		t.Fatal(got)
	}
	r.partWith(r.spec.ris)
	r.replaced(delta{risNew: []riChange{{riSpec: r.spec.ris[0]}}})
	if got := last(1); !strings.HasPrefix(got[0], "Deleted") || len(r.parting) != 0 {
		t.Errorf("replaced: %q", got)
	}
}

// writes is how many routes the kernel was given or rid of.
func (c *couple) writes() int {
	return c.kernel.Count(unix.RTM_NEWROUTE) + c.kernel.Count(unix.RTM_DELROUTE)
}

// A device that is down when the router gets to know it is looked at once more, and one that is up or missing is not.
func TestLookIfDown(t *testing.T) {
	r := newCouple(t).vbr
	for _, tt := range []struct {
		state link.State
		want  int
	}{
		{link.State{Lines: []link.Device{{Index: 2, Up: true}}, Pairs: []link.Device{{Index: 3}}}, 1},
		{link.State{Tunnels: []link.Device{{Index: 2}}}, 1},
		{link.State{Lines: []link.Device{{Index: 2, Up: true}}, Pairs: []link.Device{{}}}, 0},
	} {
		for len(r.look) > 0 {
			<-r.look
		}
		if r.lookIfDown(tt.state); len(r.look) != tt.want {
			t.Errorf("%+v: looks %d times, want %d", tt.state, len(r.look), tt.want)
		}
	}
}
