package e2e

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
)

// TestOperations: health checks, usage, quality and failover tests on one host with two VBRs for one VPC.
func TestOperations(t *testing.T) {
	c := newTwin(t)
	c.File("resources.d/all.yaml", twinVPC+c.line("a", "eth1", 0, twinHealth(0))+c.line("b", "eth2", 1, twinHealth(1)))
	c.start()
	lab.Eventually(t, 60*time.Second, "pings from the VPC", func() error { return pings(c.vm, "", "", idcHost4) })
	lab.Eventually(t, 20*time.Second, "both lines in use", func() error { return c.uses(t, idcPrefix, "ri-vpc-a", "ri-vpc-b") })
	t.Run("health check flips and returns", c.testHealth)
	t.Run("usage", c.testUsage)
	t.Run("quality", c.testQuality)
	t.Run("drill", c.testDrill)
	t.Run("drill refused", c.testDrillRefused)
	t.Run("killed twice", c.testKilledTwice)
	t.Run("drill and kill", c.testDrillKilled)
	t.Run("drill later", c.testDrillLater)
}

func (c *twin) testHealth(t *testing.T) {
	for _, ri := range []string{"ri-vpc-a", "ri-vpc-b"} {
		lab.Eventually(t, 20*time.Second, ri+" is healthy", func() error { return c.health(t, ri, "Normal") })
	}
	c.idc.IP("route add blackhole 10.100.1.1/32") // answers to probes go nowhere; the machine's do
	for _, ri := range []string{"ri-vpc-a", "ri-vpc-b"} {
		lab.Eventually(t, 20*time.Second, ri+" knows that nobody else carries its routes", func() error { return c.health(t, ri, "NoRedundantRoute") })
	}
	c.idc.IP("route del blackhole 10.100.1.1/32")
	for _, ri := range []string{"ri-vpc-a", "ri-vpc-b"} {
		lab.Eventually(t, 20*time.Second, ri+" is healthy again", func() error { return c.health(t, ri, "Normal") })
	}
	lab.Eventually(t, 10*time.Second, "both lines in use again", func() error { return c.uses(t, idcPrefix, "ri-vpc-a", "ri-vpc-b") })
	c.idc.IP("addr del 172.16.1.3/32 dev lo") // what is probed by way of the first line is silent; the line works
	lab.Eventually(t, 20*time.Second, "ri-vpc-a is abnormal", func() error { return c.health(t, "ri-vpc-a", "Abnormal") })
	lab.Eventually(t, 10*time.Second, "its routes step back", func() error { return c.uses(t, idcPrefix, "ri-vpc-b") })
	before, _ := c.usage(t, "ri-vpc-b")
	if stats, err := c.vm.Ping(idcHost4, lab.PingOptions{Count: 100, Interval: 5 * time.Millisecond}); err != nil {
		t.Error(stats, err)
	}
	if after, _ := c.usage(t, "ri-vpc-b"); after < before+100 {
		t.Errorf("of 100 packets ri-vpc-b carried %d at most", after-before)
	}
	c.idc.IP("addr add 172.16.1.3/32 dev lo")
	lab.Eventually(t, 20*time.Second, "ri-vpc-a is healthy again", func() error { return c.health(t, "ri-vpc-a", "Normal") })
	lab.Eventually(t, 10*time.Second, "its routes come back", func() error { return c.uses(t, idcPrefix, "ri-vpc-a", "ri-vpc-b") })
	out, err := c.tryctl("events", "-r", "vpc-acme")
	if n := strings.Count(out, "health check"); err != nil || n < 6 {
		t.Errorf("%d events of health checks, %v:\n%s", n, err, out)
	}
}

// testUsage: what was sent is counted, over kill -9 and devices made anew, and never runs backwards.
func (c *twin) testUsage(t *testing.T) {
	count := func() (tx, rx uint64) {
		ax, ar := c.usage(t, "ri-vpc-a")
		bx, br := c.usage(t, "ri-vpc-b")
		return ax + bx, ar + br
	}
	tx0, rx0 := count()
	stats, err := c.vm.Ping(idcHost4, lab.PingOptions{Count: 200, Interval: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(stats, err)
	}
	tx1, rx1 := count()
	if sent := tx1 - tx0; sent < 200 || sent > 200+400 { // and probes: two health checks, two links
		t.Errorf("200 packets sent, %d counted", sent)
	}
	c.vbrd.Signal(syscall.SIGKILL)
	_, _ = c.vbrd.Wait(5 * time.Second)
	stats, err = c.vm.Ping(idcHost4, lab.PingOptions{Count: 200, Interval: 5 * time.Millisecond})
	if err != nil {
		t.Fatal("while vbrd is away:", stats, err)
	}
	c.start()
	lab.Eventually(t, 20*time.Second, "vbrd answers", func() error { _, err := c.tryctl("show", "host"); return err })
	tx2, rx2 := count()
	if tx2 < tx1+200 || rx2 < rx1+200 {
		t.Errorf("after kill -9 and 200 packets: %d sent, %d received; before %d, %d", tx2, rx2, tx1, rx1)
	}
	lab.Eventually(t, 60*time.Second, "both lines in use", func() error { return c.uses(t, idcPrefix, "ri-vpc-a", "ri-vpc-b") })
	tx3, rx3 := count()
	c.renewPairs(t)
	stats, err = c.vm.Ping(idcHost4, lab.PingOptions{Count: 100, Interval: 5 * time.Millisecond})
	if err != nil {
		t.Fatal("over devices made anew:", stats, err)
	}
	if tx4, rx4 := count(); tx4 < tx3+100 || rx4 < rx3+100 {
		t.Errorf("after new devices and 100 packets: %d sent, %d received; before %d, %d", tx4, rx4, tx3, rx3)
	}
	if rx0 > rx1 {
		t.Error("usage runs backwards")
	}
}

// renewPairs deletes the devices of both pairs, and waits until they are there anew and carry routes both ways: what vbrd shows just after may be
// from before it heard of the deletion, and each end is mended by its own router.
func (c *twin) renewPairs(t *testing.T) {
	t.Helper()
	var list struct {
		Interfaces []struct{ Name, Device string } `json:"router_interfaces"`
	}
	c.ctl(t, &list, "show", "interfaces", "-r", "vpc-acme")
	was := make(map[string]string)
	for _, x := range list.Interfaces {
		was[x.Device] = c.ifindex(x.Device)
		c.edge.IP("link del " + x.Device)
	}
	lab.Eventually(t, 60*time.Second, "devices are made anew", func() error {
		for device, index := range was {
			if now := c.ifindex(device); now == "" || now == index {
				return fmt.Errorf("%s has index %q, had %q", device, now, index)
			}
		}
		return nil
	})
	lab.Eventually(t, 60*time.Second, "both lines in use", func() error { return c.uses(t, idcPrefix, "ri-vpc-a", "ri-vpc-b") })
	for _, vrf := range []string{"vbr-a", "vbr-b"} {
		lab.Eventually(t, 60*time.Second, vrf+" has its way to the VPC", func() error {
			hops, err := c.edge.NextHops("10.100.0.0/16", "vrf "+vrf)
			if err == nil && len(hops) == 0 {
				err = errors.New("none")
			}
			return err
		})
	}
	lab.Eventually(t, 60*time.Second, "both lines back at the customer", func() error {
		hops, err := c.idc.NextHops("10.100.0.0/16", "main")
		if err == nil && len(hops) != 2 {
			err = fmt.Errorf("%v", hops)
		}
		return err
	})
}

// ifindex is the number of a device at the edge as text, empty if there is none.
func (c *twin) ifindex(device string) string {
	out, err := c.edge.Run("ip", "-o", "link", "show", device)
	if err != nil {
		return ""
	}
	index, _, _ := strings.Cut(out, ":")
	return index
}

type qualityJSON struct {
	Objectives []struct {
		Name         string
		Measured     float64
		Met, Unknown bool
	}
	Samples []struct{ Sent, Lost int }
}

// testQuality: loss that is put on the link of a pair shows, and nothing before.
func (c *twin) testQuality(t *testing.T) {
	var list struct {
		Interfaces []struct{ Name, Device string } `json:"router_interfaces"`
	}
	c.ctl(t, &list, "show", "interfaces", "-r", "vpc-acme")
	device := ""
	for _, x := range list.Interfaces {
		if x.Name == "ri-vpc-b" {
			device = x.Device
		}
	}
	c.edge.MustRun("tc", "qdisc", "add", "dev", device, "root", "netem", "loss", "50%")
	loss := func() (measured float64, met bool) {
		var q qualityJSON
		c.ctl(t, &q, "quality", "ri-vpc-b", "--since", "1m")
		for _, o := range q.Objectives {
			if o.Name == "loss" && !o.Unknown {
				return o.Measured, o.Met
			}
		}
		return -1, false
	}
	lab.Eventually(t, 60*time.Second, "the loss shows", func() error {
		if l, met := loss(); l < 5 || met {
			return fmt.Errorf("loss %.1f %%, met %v", l, met)
		}
		return nil
	})
	c.edge.MustRun("tc", "qdisc", "del", "dev", device, "root")
	out, err := c.tryctl("quality", "ri-vpc-b", "--since", "1h")
	if err != nil || !strings.Contains(out, "rtt ") || !strings.Contains(out, "availability") {
		t.Errorf("%v\n%s", err, out)
	}
	t.Log("\n" + out)
}

func (c *twin) testDrill(t *testing.T) {
	lab.Eventually(t, 20*time.Second, "both lines in use", func() error { return c.uses(t, idcPrefix, "ri-vpc-a", "ri-vpc-b") })
	var started struct{ Test testJSON }
	c.ctl(t, &started, "drill", "start", "--router", "vbr-a", "--duration", "1m", "--objective", "10s", "--probe", "10.100.1.1->"+idcHost4)
	lab.Eventually(t, 20*time.Second, "the router goes out", func() error { return c.uses(t, idcPrefix, "ri-vpc-b") })
	if err := pings(c.vm, "", "", idcHost4); err != nil {
		t.Error("while the router is out:", err)
	}
	time.Sleep(3 * time.Second)
	if out, err := c.tryctl("drill", "stop", started.Test.ID); err != nil {
		t.Error(out, err)
	}
	test := c.awaitTest(t, started.Test.ID)
	if test.Verdict != "Passed" || len(test.Measurements) != 2 || test.Measurements[0].Sent < 2 {
		t.Errorf("%+v", test)
	}
	lab.Eventually(t, 20*time.Second, "the router is back", func() error { return c.uses(t, idcPrefix, "ri-vpc-a", "ri-vpc-b") })
	out, err := c.tryctl("drill", "show", started.Test.ID)
	t.Log(err, "\n"+out)
}

// awaitTest waits for the end of a failover test.
func (c *twin) awaitTest(t *testing.T, id string) (test testJSON) {
	t.Helper()
	lab.Eventually(t, 40*time.Second, "the drill ends", func() error {
		c.ctl(t, &test, "drill", "show", id)
		if test.Status != "Stopped" {
			return fmt.Errorf("%+v", test)
		}
		return nil
	})
	return test
}

// testDrillRefused: without the other VBR's routes nothing is taken out; with the loss of them during a drill the router comes back.
func (c *twin) testDrillRefused(t *testing.T) {
	var started struct{ Test testJSON }
	c.ctl(t, &started, "drill", "start", "--router", "vbr-a", "--duration", "1m")
	lab.Eventually(t, 20*time.Second, "the router goes out", func() error { return c.uses(t, idcPrefix, "ri-vpc-b") })
	c.idc.Link("eth2", false)
	if test := c.awaitTest(t, started.Test.ID); test.Verdict != "Aborted" || !strings.Contains(fmt.Sprint(test.Findings), "172.16.1.0/24") {
		t.Errorf("%+v", test)
	}
	lab.Eventually(t, 20*time.Second, "the router is back", func() error { return c.uses(t, idcPrefix, "ri-vpc-a") })
	out, err := c.tryctl("drill", "start", "--router", "vbr-a", "--duration", "1m")
	if err == nil || !strings.Contains(out+err.Error(), "172.16.1.0/24") || !strings.Contains(out+err.Error(), "no redundancy: router vpc-acme has them by no other router interface than ri-vpc-a") {
		t.Errorf("without redundancy: %v %s", err, out)
	}
	c.idc.Link("eth2", true)
	lab.Eventually(t, 40*time.Second, "both lines in use", func() error { return c.uses(t, idcPrefix, "ri-vpc-a", "ri-vpc-b") })
}

// testKilledTwice: vbrd is killed again as soon as it answers, before its peers are told all. Nothing is lost, and soon both VBRs are in use.
func (c *twin) testKilledTwice(t *testing.T) {
	pinger := c.vm.Pinger(idcHost4, lab.PingOptions{})
	for range 2 {
		c.vbrd.Signal(syscall.SIGKILL)
		_, _ = c.vbrd.Wait(5 * time.Second)
		c.start()
		lab.Eventually(t, 20*time.Second, "vbrd answers", func() error { _, err := c.tryctl("show", "host"); return err })
	}
	lab.Eventually(t, 10*time.Second, "both lines in use", func() error { return c.uses(t, idcPrefix, "ri-vpc-a", "ri-vpc-b") })
	time.Sleep(5 * time.Second) // peers have said all, and stale routes are swept; or one comes later, and its routes have no AS path till then
	lab.Eventually(t, 10*time.Second, "both lines in use when peers have said all", func() error { return c.uses(t, idcPrefix, "ri-vpc-a", "ri-vpc-b") })
	if stats := pinger.Stop(); stats.Lost() > 0 || stats.Received < 50 {
		t.Errorf("pings over two kills: %s", stats)
	}
}

// testDrillKilled: a drill that runs when vbrd is killed is aborted, and the router serves again.
func (c *twin) testDrillKilled(t *testing.T) {
	var started struct{ Test testJSON }
	c.ctl(t, &started, "drill", "start", "--router", "vbr-a", "--duration", "1m")
	lab.Eventually(t, 20*time.Second, "the router goes out", func() error { return c.uses(t, idcPrefix, "ri-vpc-b") })
	c.vbrd.Signal(syscall.SIGKILL)
	_, _ = c.vbrd.Wait(5 * time.Second)
	c.start()
	lab.Eventually(t, 20*time.Second, "vbrd answers", func() error { _, err := c.tryctl("show", "host"); return err })
	if test := c.awaitTest(t, started.Test.ID); test.Verdict != "Aborted" {
		t.Errorf("%+v", test)
	}
	lab.Eventually(t, 60*time.Second, "the router serves again", func() error { return c.uses(t, idcPrefix, "ri-vpc-a", "ri-vpc-b") })
}

// testDrillLater: a drill that is to start later survives a kill of vbrd, and starts by itself at its time.
func (c *twin) testDrillLater(t *testing.T) {
	var created struct{ Test testJSON }
	c.ctl(t, &created, "drill", "create", "--router", "vbr-a", "--duration", "1m")
	c.vbrd.Signal(syscall.SIGKILL)
	_, _ = c.vbrd.Wait(5 * time.Second)
	c.start()
	lab.Eventually(t, 20*time.Second, "vbrd answers", func() error { _, err := c.tryctl("show", "host"); return err })
	var test testJSON
	if c.ctl(t, &test, "drill", "show", created.Test.ID); test.Status != "Init" {
		t.Errorf("after a kill: %+v", test)
	}
	lab.Eventually(t, 60*time.Second, "both lines in use", func() error { return c.uses(t, idcPrefix, "ri-vpc-a", "ri-vpc-b") })
	if out, err := c.tryctl("drill", "update", created.Test.ID, "--at", "3s"); err != nil {
		t.Error(out, err)
	}
	lab.Eventually(t, 30*time.Second, "it starts by itself", func() error {
		if c.ctl(t, &test, "drill", "show", created.Test.ID); test.Status != "Testing" {
			return fmt.Errorf("%+v", test)
		}
		return nil
	})
	lab.Eventually(t, 20*time.Second, "the router goes out by itself", func() error { return c.uses(t, idcPrefix, "ri-vpc-b") })
	if out, err := c.tryctl("drill", "delete", created.Test.ID); err == nil || !strings.Contains(out+err.Error(), "is Testing") {
		t.Errorf("deleted while it runs: %v %s", err, out)
	}
	if out, err := c.tryctl("drill", "stop", created.Test.ID); err != nil {
		t.Error(out, err)
	}
	if test := c.awaitTest(t, created.Test.ID); test.Verdict != "Passed" {
		t.Errorf("%+v", test)
	}
	lab.Eventually(t, 20*time.Second, "the router is back", func() error { return c.uses(t, idcPrefix, "ri-vpc-a", "ri-vpc-b") })
	if out, err := c.tryctl("drill", "delete", created.Test.ID); err != nil {
		t.Error(out, err)
	}
}
