package e2e

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
)

// TestPairOverKill: vbrd is killed while it deletes a pair, and while it makes one, at several moments from storing the change to its end. Started again,
// the pair is there whole or gone whole, as the store says: nothing is left half done, and the VBR's BGP session serves what there is.
func TestPairOverKill(t *testing.T) {
	c := newCloud(t, "")
	c.File("vbrd.yaml", fmt.Sprintf("host: edge1\nresources: %s\nstate_dir: %s\napi: {socket: %s}\nlog: {level: debug, format: text}\ntimers: {restart: 30s, deferral: 10s, stale: 10s, audit: 60s}\n",
		c.Dir+"/resources.d", c.Dir+"/state", c.Dir+"/vbrd.sock"))
	c.File("resources.d/none", "")
	file, pair := c.Lab.File("all.yaml", vbrYAML+vpcYAML+ends), c.Lab.File("pair.yaml", ends)
	c.start()
	c.answers(t)
	c.mustCtl(t, "apply", "-f", file)
	lab.Eventually(t, 60*time.Second, "pings between IDC and VPC", c.bothWays)
	remove, restore := []string{"delete", "ri", "ri-line", "ri-vpc"}, []string{"apply", "-f", pair}
	for _, k := range []struct {
		args  []string
		at    string // of the log; empty: when the devices come or go
		after time.Duration
	}{
		{remove, "stored intent changed", 0}, {restore, "stored intent changed", 0}, {remove, "router changes", 0},
		{restore, "", 0}, {remove, "", 0}, {restore, "", 20 * time.Millisecond},
	} {
		left := c.killDuring(k.args, k.at, k.after)
		c.start()
		c.answers(t)
		out := c.mustCtl(t, "get", "ri")
		there := strings.Contains(out, "ri-line")
		if there != strings.Contains(out, "ri-vpc") {
			t.Errorf("one end is stored:\n%s", out)
		}
		t.Logf("%s, killed %v after %q: devices %q; then there: %v", k.args[0], k.after, k.at, left, there)
		if there {
			lab.Eventually(t, 60*time.Second, "the pair is whole", c.bothWays)
		} else {
			lab.Eventually(t, 60*time.Second, "the pair is gone", c.gone)
		}
		if there != (k.args[0] == "apply") { // it was not stored: as it should be for the next
			c.mustCtl(t, k.args...)
		}
	}
}

// killDuring runs vbrctl and kills vbrd some time after its log says something, or devices come or go; it returns the pair's devices that are there then.
func (c *cloud) killDuring(args []string, at string, after time.Duration) []string {
	told, had, done := len(c.vbrd.Log()), len(c.cables()), make(chan struct{})
	go func() {
		defer close(done)
		_, _ = c.edge.Run(append([]string{ctl(c.t), "--socket", c.Dir + "/vbrd.sock"}, args...)...)
	}()
	now := func() bool { return strings.Contains(c.vbrd.Log()[told:], at) }
	if at == "" {
		now = func() bool { return len(c.cables()) != had }
	}
	for begin := time.Now(); !now(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > 20*time.Second {
			c.t.Errorf("%v: nothing happens", args)
			break
		}
	}
	time.Sleep(after)
	c.vbrd.Kill()
	<-done
	return c.cables()
}

// cables are the ends of pairs that the edge has.
func (c *cloud) cables() (names []string) {
	if err := c.edge.Do(func() error {
		all, err := net.Interfaces()
		for _, x := range all {
			if strings.HasPrefix(x.Name, "rv") {
				names = append(names, x.Name)
			}
		}
		return err
	}); err != nil {
		c.t.Errorf("devices: %v", err)
	}
	return names
}

// gone is nil when nothing of the pair is left: no device, no route, nothing told to the customer, nothing that ails the routers.
func (c *cloud) gone() error {
	if names := c.cables(); len(names) > 0 {
		return fmt.Errorf("devices %q", names)
	}
	if err := c.empty("10.100.0.0/16", "172.16.1.0/24", "2001:db8:100::/48", "2001:db8:1::/64"); err != nil {
		return err
	}
	if out, err := c.frr.Ask("bgpd", "show bgp ipv4 unicast"); err != nil || strings.Contains(out, "10.100.") {
		return fmt.Errorf("%w: the customer has\n%s", err, out)
	}
	for _, router := range []string{"vbr-acme", "vpc-acme"} {
		if s := c.status(router); strings.Contains(s, "DEGRADED") || strings.Contains(s, "ri-") {
			return fmt.Errorf("status:\n%s", s)
		}
	}
	return c.frr.Established("ipv4 unicast", "10.0.0.1")
}

func (c *cloud) answers(t *testing.T) {
	t.Helper()
	lab.Eventually(t, 30*time.Second, "vbrd answers", func() error {
		_, err := c.edge.Run(ctl(t), "--socket", c.Dir+"/vbrd.sock", "show", "host")
		return err
	})
}

func (c *cloud) mustCtl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := c.edge.Run(append([]string{ctl(t), "--socket", c.Dir + "/vbrd.sock"}, args...)...)
	if err != nil {
		t.Fatalf("vbrctl %v: %v: %s", args, err, out)
	}
	return out
}
