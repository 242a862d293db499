package vbr

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openvbr/openvbr/vbr/link"
	"github.com/openvbr/openvbr/vbr/rib"
)

// Two router interfaces for transit and one that is not, as sources of paths too.
var (
	riX, riY, riZ = riSpec{name: "ri-x", transit: true}, riSpec{name: "ri-y", transit: true}, riSpec{name: "ri-z"}
	neighbours    = map[string]*riSpec{"customer": nil, "x": &riX, "y": &riY, "z": &riZ}

	fromX, fromY, fromZ = riX.source(11), riY.source(12), riZ.source(13)
	fromPeer            = rib.Source{Kind: rib.BGP, Name: "10.0.0.2"}
	fromLine            = rib.Source{Kind: rib.Connected, Name: "eth1.100"}
	static              = rib.Source{Kind: rib.Static, Name: "static"}
	staticToX           = rib.Source{Kind: rib.Static, Name: "static-x", Interface: "ri-x", Transit: true}
	adoptedX            = adoptedSource(rib.RouterInterface, 11, &riX)
	adoptedY            = adoptedSource(rib.RouterInterface, 12, &riY)
	adoptedLine         = adoptedSource(rib.BGP, 2, nil)
)

func TestHeard(t *testing.T) {
	for _, tt := range []struct {
		name string
		src  *rib.Source
		want string
	}{
		{"nothing", nil, ""},
		{"connected", &fromLine, "x y z"},
		{"static", &static, "x y z"},
		{"a BGP peer's", &fromPeer, "x y z"},
		{"through x", &fromX, "customer y"},
		{"through z, not for transit", &fromZ, "customer"},
		{"static to x", &staticToX, "customer y"},
		{"found on the device of x", &adoptedX, "customer y"},
	} {
		var who []string
		for name, ri := range neighbours {
			if heard(tt.src, ri) {
				who = append(who, name)
			} else if tt.src != nil && ri != nil && unheard(tt.src, ri) == "" {
				t.Errorf("%s: no reason why %s is not told", tt.name, name)
			}
		}
		slices.Sort(who)
		if got := strings.Join(who, " "); got != tt.want {
			t.Errorf("%s: told %q, want %q", tt.name, got, tt.want)
		}
	}
}

// What each neighbour hears when a path takes another's place: + told, - taken back.
func TestTurn(t *testing.T) {
	for _, tt := range []struct {
		name     string
		was, now *rib.Source
		stands   bool
		want     string
	}{
		{"a peer's comes", nil, &fromPeer, false, "+x +y +z"},
		{"a peer's goes", &fromPeer, nil, false, "-x -y -z"},
		{"another's attributes", &fromPeer, &fromPeer, false, "+x +y +z"},
		{"from a peer to x", &fromPeer, &fromX, false, "+customer -x +y -z"},
		{"from a peer to x, sounding alike", &fromPeer, &fromX, true, "+customer -x -z"},
		{"from x to y", &fromX, &fromY, false, "+customer +x -y"},
		{"from x to y, sounding alike", &fromX, &fromY, true, "+x -y"},
		{"from x to z", &fromX, &fromZ, false, "+customer -y"},
		{"from y to what was found on the device of x", &fromY, &adoptedX, true, "-x +y"},
		{"from z to a static route", &fromZ, &static, false, "-customer +x +y +z"},
	} {
		var did []string
		for _, name := range []string{"customer", "x", "y", "z"} {
			switch tell, back := (&spec{}).turn(&rib.Announcement{Was: tt.was, Source: tt.now, Stands: tt.stands}, neighbours[name]); {
			case tell && back:
				t.Errorf("%s: %s is told and it is taken back", tt.name, name)
			case tell:
				did = append(did, "+"+name)
			case back:
				did = append(did, "-"+name)
			}
		}
		if got := strings.Join(did, " "); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// Whatever moves where, following the announcements each neighbour holds exactly what is for it, and the counts say how much that is.
func TestEveryNeighbourHoldsWhatIsForIt(t *testing.T) {
	o := newObserved(t)
	o.spec.ris = []riSpec{riX, riY, riZ}
	sources := []rib.SourceID{o.peers["10.0.0.2"], o.rib.AddSource(riX.source(2)), o.rib.AddSource(riY.source(2)), o.rib.AddSource(riZ.source(2))}
	p := netip.MustParsePrefix("172.20.0.0/16")
	holds := map[string]bool{}
	at := func(i int) *rib.Attrs {
		return &rib.Attrs{NextHop: netip.MustParseAddr("10.0.0.2"), ASPath: []rib.Segment{{Type: rib.ASSequence, ASNs: []uint32{65001}}}, MED: uint32(i % 2)}
	}
	for i, now := range []int{0, 1, 2, 1, 3, 2, 0, 3, 0, 1} {
		for _, id := range sources {
			o.rib.Withdraw(id, 0, p)
		}
		o.rib.Announce(sources[now], 0, at(i/3), p)
		o.rib.NextWindow()
		o.rib.Changes(10, func(c rib.Change) {
			a := o.rib.Confirm(c, true)
			for name, ri := range neighbours {
				tell, back := o.spec.turn(&a, ri)
				if back && !holds[name] {
					t.Errorf("step %d: %s is to let go of what it does not hold", i, name)
				}
				if c.Prefix == p {
					holds[name] = holds[name] && !back || tell
				}
			}
		})
		var src rib.Source
		o.rib.Told(func(a rib.Announcement) {
			if a.Prefix == p {
				src = *a.Source
			}
		})
		for name, ri := range neighbours {
			n := 0
			if ri != nil {
				n = 1 // the line's subnet
			}
			if want := heard(&src, ri); holds[name] != want || o.countHeard(ri, false) != n+boolIndex(want) {
				t.Errorf("step %d, from %s: %s holds it: %v, want %v; count %d", i, src.Name, name, holds[name], want, o.countHeard(ri, false))
			}
		}
	}
}

// What a router interface is told can be listed and explained, also what it is not for want of transit.
func TestTransitIsShown(t *testing.T) {
	o := newObserved(t)
	o.host.backbone.up[rr1] = true
	o.spec.ris = []riSpec{riX, riY, riZ}
	id := o.rib.AddSource(riX.source(2))
	o.rib.Announce(id, 0, &rib.Attrs{NextHop: netip.MustParseAddr("10.0.0.9")}, netip.MustParsePrefix("10.100.0.0/16"))
	o.rib.Changes(10, func(c rib.Change) { o.rib.Confirm(c, true) })
	o.spec.link.Tunnels = make([]link.Tunnel, 3)
	e, err := o.host.Explain("vbr-acme", "10.100.0.0/16")
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, x := range e.Told {
		got += fmt.Sprintln(x.Neighbour, x.Told, x.Why)
	}
	const want = `ri-x false its packets leave by this router interface, which is not told of its own
ri-y true 
ri-z false its packets leave by router interface ri-x, and this one is not for transit
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if c := o.host.RouterStatus("vbr-acme"); c.Routes.Exported != 2 || c.RouterInterfaces[0].Exported != 1 || c.RouterInterfaces[1].Exported != 2 {
		t.Errorf("status: %v", c)
	}
}
