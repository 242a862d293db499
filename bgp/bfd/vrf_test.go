//go:build vrf

package bfd

import (
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/openvbr/openvbr/internal/lab"
)

// TestVRF: two customers with equal addresses, each on a VLAN device in a VRF of its own; the one's failure is not the other's, and a VRF made
// anew brings its session back. It needs a kernel with VRF to itself: `make test-vrf` builds it, with the tag vrf.
func TestVRF(t *testing.T) {
	if os.Getenv("VBR_INSIDE") == "namespaces" {
		t.Fatal("not in the VRF kernel; run make test-vrf")
	}
	l := lab.New(t)
	var sessions []Session
	var peers []*lab.FRR
	for i := 1; i <= 2; i++ {
		peer := l.Namespace(fmt.Sprintf("bfdvrf%d", i))
		ip(t, fmt.Sprintf("link add port%d type veth peer name port netns %s", i, peer.Name), fmt.Sprintf("link set port%d up", i))
		line(t, i)
		peer.IP("link set port up", "link add link port name eth0 type vlan id 100", "link set eth0 up",
			"addr add "+them4+"/30 dev eth0", "addr add "+them6+"/126 dev eth0 nodad")
		sessions = append(sessions, with(us4, them4, dev(i), 300*ms), with(us6, them6, dev(i), 300*ms))
		peers = append(peers, peer.FRR(frrConf(300), "bfdd"))
	}
	n := startNode(t)
	n.set(t, sessions...)
	up := func(want ...bool) {
		t.Helper()
		lab.Eventually(t, 30*time.Second, fmt.Sprintf("up %v", want), func() error {
			all := n.Status() // by device, IPv4 first
			if len(all) != 2*len(want) {
				return fmt.Errorf("%d sessions", len(all))
			}
			for i, s := range all {
				if (s.State == Up) != want[i/2] {
					return fmt.Errorf("%+v, %+v", s, n.Stats())
				}
			}
			return nil
		})
	}
	up(true, true)
	mark := n.mark()
	peers[1].Procs["bfdd"].Kill()
	up(true, false)
	for _, c := range n.since(mark) {
		if c.Device == dev(1) {
			t.Errorf("the other customer: %+v", c)
		}
	}
	peers[1].StartDaemon("bfdd")
	if err := peers[1].Load(frrConf(300)); err != nil {
		t.Fatal(err)
	}
	up(true, true)

	mark = n.mark()
	for _, hours := range []time.Duration{1, -2} { // steps of the wall clock do nothing
		now := unix.NsecToTimeval(time.Now().Add(hours * time.Hour).UnixNano())
		if err := unix.Settimeofday(&now); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1500 * time.Millisecond)
	}
	if c := n.since(mark); len(c) != 0 {
		t.Errorf("the clock was set: %+v", c)
	}

	ip(t, "link del "+dev(1), "link del vrf1")
	up(false, true)
	line(t, 1)
	up(true, true)
	if s := n.Stats(); s.Rebuilt != 2 {
		t.Errorf("%+v", s)
	}
}

func dev(i int) string { return fmt.Sprintf("port%d.100", i) }

// line makes a customer's VRF, and the VLAN device in it.
func line(t *testing.T, i int) {
	t.Helper()
	vrf := fmt.Sprintf("vrf%d", i)
	ip(t, fmt.Sprintf("link add %s type vrf table %d", vrf, 12000+i), "link set "+vrf+" up",
		fmt.Sprintf("link add link port%d name %s type vlan id 100", i, dev(i)), "link set "+dev(i)+" master "+vrf, "link set "+dev(i)+" up",
		"addr add "+us4+"/30 dev "+dev(i), "addr add "+us6+"/126 dev "+dev(i)+" nodad")
}
