package e2e

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
)

const standbyYAML = `---
kind: VbrHa
name: ha-acme
owner: acme
vbr_id: vbr-a
peer_vbr_id: vbr-b
mode: ActiveStandby
`

// TestVRouterStandby: two VBRs of one VPC in a failover group, FRR as the customer of both. Both directions use the active one; when its line goes the
// standby takes over within a second. Then the VPC shares the traffic by weight.
func TestVRouterStandby(t *testing.T) {
	c := newTwin(t)
	lines := c.line("a", "eth1", 0, "") + c.line("b", "eth2", 1, "")
	c.File("resources.d/all.yaml", twinVPC+lines+standbyYAML)
	c.start()
	lab.Eventually(t, 60*time.Second, "pings from the VPC", func() error { return pings(c.vm, "", "", idcHost4) })
	activeOnly := func() error {
		if err := c.uses(t, idcPrefix, "ri-vpc-a"); err != nil {
			return err
		}
		return c.customerUses("eth1")
	}
	lab.Eventually(t, 30*time.Second, "both directions use the active one", activeOnly)
	lab.Eventually(t, 30*time.Second, "both directions know the standby", func() error {
		known, err := c.frr.Ask("bgpd", "show bgp ipv4 unicast 10.100.0.0/16")
		if by := c.sources(t, idcPrefix, "accepted"); err == nil && (!strings.Contains(known, "(2 available") || !slices.Equal(by, []string{"ri-vpc-a", "ri-vpc-b"})) {
			err = fmt.Errorf("the VPC by %v, the customer:\n%s", by, known)
		}
		return err
	})
	t.Run("failover", func(t *testing.T) {
		standbyOnly := func() error { return errors.Join(c.uses(t, idcPrefix, "ri-vpc-b"), c.customerUses("eth2")) }
		for try := range tries {
			cut := c.during(func() {
				c.idc.Link("eth1", false)
				time.Sleep(3 * time.Second) // without looking: a process costs the kernel's one processor more than a failover does
			})
			lab.Eventually(t, 5*time.Second, "both directions use the standby", standbyOnly)
			mended := c.during(func() {
				c.idc.Link("eth1", true)
				lab.Eventually(t, 40*time.Second, "the active one is used again", activeOnly)
				time.Sleep(time.Second)
			})
			t.Logf("try %d: cut: %v; mended: %v; longest stall %v", try+1, cut, mended, max(cut.LongestStall(), mended.LongestStall()))
			if cut.Outage() < time.Second && mended.Lost() == 0 {
				return
			}
			if max(cut.LongestStall(), mended.LongestStall()) < calm {
				break
			}
		}
		t.Error("want an outage below a second, and a return without loss")
	})
	t.Run("weights", func(t *testing.T) { c.testWeights(t, lines) })
}

// during is what is lost while something happens.
func (c *twin) during(happens func()) lab.DuplexLoss {
	stream := c.vm.Duplex("10.100.1.10", c.idc, idcHost4, lab.StreamOptions{})
	time.Sleep(500 * time.Millisecond)
	happens()
	return stream.Stop()
}

// customerUses is nil when the customer's packets to the VPC leave by this device alone.
func (c *twin) customerUses(device string) error {
	hops, err := c.idc.NextHops("10.100.0.0/16", "main")
	if err == nil && (len(hops) != 1 || !strings.HasSuffix(hops[0], " dev "+device)) {
		err = fmt.Errorf("the customer uses %q, want %s", hops, device)
	}
	return err
}

// testWeights: a custom route with next hops of weight 30 and 10 sends three of four flows by the first.
func (c *twin) testWeights(t *testing.T, lines string) {
	c.File("resources.d/all.yaml", twinVPC+"route_entries: [{destination_cidr_block: "+idcPrefix+", next_hop_list: [{next_hop_id: ri-vpc-a, weight: 30}, {next_hop_id: ri-vpc-b, weight: 10}]}]\n"+lines)
	c.reload()
	lab.Eventually(t, 20*time.Second, "both in use", func() error { return c.uses(t, idcPrefix, "route via ri-vpc-a", "route via ri-vpc-b") })
	beforeA, _ := c.usage(t, "ri-vpc-a")
	beforeB, _ := c.usage(t, "ri-vpc-b")
	const flows = 1000
	err := c.vm.Do(func() error {
		for range flows {
			conn, err := net.Dial("udp4", idcHost4+":9")
			if err != nil {
				return err
			}
			_, err = conn.Write([]byte("x"))
			if conn.Close(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	a, _ := c.usage(t, "ri-vpc-a")
	b, _ := c.usage(t, "ri-vpc-b")
	a, b = a-beforeA, b-beforeB
	share := float64(a) / float64(a+b) * 100
	t.Logf("of %d flows %d go by the next hop of weight 30, %d by that of weight 10: %.1f %%", flows, a, b, share)
	if a+b < flows || share < 68 || share > 82 {
		t.Error("want 75 %")
	}
	out, err := c.tryctl("explain", "-r", "vpc-acme", idcHost4)
	if err != nil || !strings.Contains(out, "static") || !strings.Contains(out, "against static") {
		t.Errorf("the one winner is not explained: %v\n%s", err, out)
	}
}
