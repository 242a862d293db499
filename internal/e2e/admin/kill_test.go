package admin

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// intended is a whole intent that differs from that of every other number: addresses, peers, lines, and 40 VBRs of another host, of
// which each says the number.
func intended(n int) []*vbrv1.Resource {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	text := fmt.Sprintf("revision %d", n)
	v := &vbrv1.VirtualBorderRouter{Name: "vbr-acme", Description: text, PhysicalConnectionId: "pc-1", Vrf: "default", PeeringSubnetMask: "/24",
		LocalGatewayIp: fmt.Sprintf("10.0.%d.1", n), PeerGatewayIp: fmt.Sprintf("10.0.%d.2", n)}
	for i := range 1 + r.IntN(6) {
		v.BgpPeers = append(v.BgpPeers, &vbrv1.BgpPeer{PeerIpAddress: fmt.Sprintf("10.0.%d.%d", n, i+2), PeerAsn: proto.Uint32(uint32(65000 + i))})
	}
	all := []*vbrv1.Resource{connection("pc-1", "eth1", ""), connection("pc-far", "eth1", "far")}
	if n%2 == 1 {
		all = append(all, connection("pc-2", "eth2", ""))
		v.AssociatedPhysicalConnections = []*vbrv1.AssociatedPhysicalConnection{{PhysicalConnectionId: "pc-2", PeeringSubnetMask: "/24",
			LocalGatewayIp: fmt.Sprintf("10.1.%d.1", n), PeerGatewayIp: fmt.Sprintf("10.1.%d.2", n)}}
	}
	for i := range 40 {
		all = append(all, vbr(&vbrv1.VirtualBorderRouter{Name: fmt.Sprintf("vbr-far-%d", i), Host: "far", Description: text, PhysicalConnectionId: "pc-far",
			VlanId: uint32(i + 1), PeeringSubnetMask: "/30", LocalGatewayIp: "10.0.0.1", PeerGatewayIp: "10.0.0.2"}))
	}
	return append(all, vbr(v))
}

func connection(name, device, host string) *vbrv1.Resource {
	return &vbrv1.Resource{Resource: &vbrv1.Resource_PhysicalConnection{PhysicalConnection: &vbrv1.PhysicalConnection{Name: name, Device: device, Host: host}}}
}

func vbr(v *vbrv1.VirtualBorderRouter) *vbrv1.Resource {
	return &vbrv1.Resource{Resource: &vbrv1.Resource_VirtualBorderRouter{VirtualBorderRouter: v}}
}

// documents writes resources as YAML: as JSON, with their kind.
func documents(t *testing.T, resources []*vbrv1.Resource) string {
	t.Helper()
	var b strings.Builder
	for _, r := range resources {
		kind, m := "PhysicalConnection", proto.Message(r.GetPhysicalConnection())
		if r.GetVirtualBorderRouter() != nil {
			kind, m = "VirtualBorderRouter", r.GetVirtualBorderRouter()
		}
		text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "---\n{\"kind\": %q, %s\n", kind, text[1:])
	}
	return b.String()
}

// sameResources is nil when what is stored is what was intended, all of it and nothing else.
func sameResources(got, want []*vbrv1.Resource) error {
	texts := func(list []*vbrv1.Resource) (out []string) {
		for _, r := range list {
			out = append(out, protojson.MarshalOptions{}.Format(&vbrv1.Resource{Resource: r.Resource}))
		}
		slices.Sort(out)
		return out
	}
	g, w := texts(got), texts(want)
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || strings.ReplaceAll(g[i], " ", "") != strings.ReplaceAll(w[i], " ", "") {
			return fmt.Errorf("%d resources, want %d; the first difference: %q, want %q", len(g), len(w), g[min(i, len(g)-1)], w[min(i, len(w)-1)])
		}
	}
	return nil
}

// runs is nil when the router is what the resources say, and the kernel has that and nothing else.
func (e *edge) runs(resources []*vbrv1.Resource) error {
	var want, got, told []string
	for _, r := range resources {
		v := r.GetVirtualBorderRouter()
		if v.GetName() != "vbr-acme" {
			continue
		}
		want = append(want, "eth1 "+v.LocalGatewayIp+"/24")
		for _, l := range v.AssociatedPhysicalConnections {
			want = append(want, "eth2 "+l.LocalGatewayIp+"/24")
		}
		for _, p := range v.BgpPeers {
			want = append(want, fmt.Sprintf("%s from %s AS %d", p.PeerIpAddress, v.LocalGatewayIp, *p.PeerAsn))
		}
	}
	for _, r := range e.routers() {
		for _, l := range r.Lines {
			for _, a := range l.Addresses {
				told = append(told, l.Device+" "+a)
			}
		}
	}
	got = e.addresses()
	for _, s := range e.sessions() {
		text := fmt.Sprintf("%s from %s AS %d", s.PeerIpAddress, s.LocalIpAddress, s.PeerAsn)
		got, told = append(got, text), append(told, text)
	}
	for _, list := range [][]string{want, got, told} {
		slices.Sort(list)
	}
	if !slices.Equal(got, want) || !slices.Equal(told, want) {
		return fmt.Errorf("there is %q, told is %q, want %q", got, told, want)
	}
	return nil
}

// addresses are the lines' in the kernel, "eth1 10.0.0.1/24".
func (e *edge) addresses() (out []string) {
	e.t.Helper()
	var links []struct {
		Name string `json:"ifname"`
		Info []struct {
			Family, Local string
			PrefixLen     int
		} `json:"addr_info"`
	}
	if err := json.Unmarshal([]byte(e.ip("-j addr show")), &links); err != nil {
		e.t.Fatal(err)
	}
	for _, l := range links {
		for _, a := range l.Info {
			if a.Family == "inet" && strings.HasPrefix(l.Name, "eth") {
				out = append(out, fmt.Sprintf("%s %s/%d", l.Name, a.Local, a.PrefixLen))
			}
		}
	}
	return out
}

// head is the number of the newest revision.
func (e *edge) head() uint64 {
	e.t.Helper()
	list := read(e, &vbrv1.ListRevisionsResponse{}, "history", "-n", "1").Revisions
	if len(list) == 0 {
		return 0
	}
	return list[0].Number
}

// moment is a moment to kill vbrd at, during an apply.
type moment struct {
	name string
	// come tells whether it is now; began is when vbrctl was started, logged what vbrd has logged since.
	come func(e *edge, began time.Time, logged string) bool
	// stored tells that the apply is stored by then.
	stored bool
}

// moments are from before an apply's begin to near its end: parts of the time that one takes, and what vbrd does meanwhile.
func moments(span time.Duration) (list []moment) {
	for _, part := range []time.Duration{0, 30, 60, 75, 90} {
		after := span * part / 100
		list = append(list, moment{"after " + after.String(), func(_ *edge, began time.Time, _ string) bool { return time.Since(began) >= after }, false})
	}
	written := func(e *edge, began time.Time, _ string) bool {
		info, err := os.Stat(e.path("state/intent.db"))
		return err == nil && info.ModTime().After(began)
	}
	list = append(list, moment{"when the store is being written", written, false}, moment{"when the store is being written, again", written, false})
	for _, text := range []string{"stored intent changed", "router changes"} {
		list = append(list, moment{"at the log's " + text, func(_ *edge, _ time.Time, logged string) bool { return strings.Contains(logged, text) }, true})
	}
	return list
}

// applyAndKill applies a file and kills vbrd at a moment, or after the apply's end; it returns vbrctl's error.
func (e *edge) applyAndKill(file string, m moment) error {
	done, told, began := make(chan error, 1), e.log.len(), time.Now()
	go func() {
		_, err := e.try("apply", "--prune", "-f", file)
		done <- err
	}()
	for len(done) == 0 && !m.come(e, began, e.log.since(told)) {
		time.Sleep(100 * time.Microsecond)
	}
	e.kill()
	return <-done
}

// Applies, each with a kill -9 at a moment of its own: what was acknowledged is there, what was not is there whole or not at all, and
// the router is what the store says.
func TestKilledWhileApplying(t *testing.T) {
	e := newEdge(t, "edge1", "")
	ip(t, "link add eth2 netns edge1 type veth peer name eth1 netns idc-edge1", "-n edge1 link set eth2 up", "-n idc-edge1 link set eth1 up")
	e.start()
	e.mustApply("intent.yaml", documents(t, intended(100)), "--prune")
	began := time.Now()
	e.mustApply("intent.yaml", documents(t, intended(0)), "--prune")
	list, is, number := moments(time.Since(began)), 0, e.head()
	never := moment{"never", func(*edge, time.Time, string) bool { return false }, true}
	for i, m := range append(list, never) {
		n := i + 1
		err := e.applyAndKill(put(t, e.path("intent.yaml"), documents(t, intended(n))), m)
		e.start()
		head := e.head()
		t.Logf("apply %d, killed %s: revision %d after %d; vbrctl: %.200v", n, m.name, head, number, err)
		switch {
		case head == number+1:
			is = n
		case head != number || err == nil || m.stored:
			t.Fatal("neither before nor after")
		}
		number = head
		if err := sameResources(e.resources(), intended(is)); err != nil {
			t.Fatalf("should be intent %d: %v", is, err)
		}
		eventually(t, fmt.Sprintf("the router is intent %d", is), func() error { return e.runs(intended(is)) })
		if p := e.status().Problems; len(p) > 0 {
			t.Errorf("problems %q", p)
		}
	}
	e.mustApply("intent.yaml", documents(t, intended(99)), "--prune")
	eventually(t, "the last intent runs", func() error { return e.runs(intended(99)) })
}
