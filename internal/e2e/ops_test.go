package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
)

// twin is a VPC with two VBRs on one host, each with a line of its own to the same IDC, and a spare pair between two VPCs.
type twin struct {
	*lab.Lab
	t        *testing.T
	edge     *lab.NS
	idc, vm  *lab.NS
	shop     *lab.NS
	frr      *lab.FRR
	vbrd     *lab.Proc
	resource string
}

func newTwin(t *testing.T) *twin {
	c := &twin{Lab: lab.New(t), t: t}
	c.edge, c.idc, c.vm, c.shop = c.Namespace("edge"), c.Namespace("idc"), c.Namespace("vm-acme"), c.Namespace("vm-shop")
	c.edge.Forward()
	c.idc.Forward()
	for i, dev := range []string{"eth1", "eth2"} {
		c.Veth(c.edge, dev, c.idc, dev)
		c.idc.IP(fmt.Sprintf("addr add 10.0.%d.2/30 dev %s", i, dev), fmt.Sprintf("addr add 172.16.1.%d/32 dev lo", 3+i))
	}
	c.idc.IP("addr add " + idcHost4 + "/32 dev lo")
	c.idc.Sysctl("net.ipv4.icmp_ratelimit=0")
	for vm, net := range map[*lab.NS]string{c.vm: "10.100.1", c.shop: "10.110.1"} {
		c.Veth(c.edge, vm.Name, vm, "eth0")
		vm.IP("addr add "+net+".10/24 dev eth0", "route add default via "+net+".1")
	}
	c.frr = c.idc.FRR(twinConf, "bgpd")
	c.File("vbrd.yaml", fmt.Sprintf("host: edge1\nresources: %s\nstate_dir: %s\napi: {socket: %s}\nlog: {level: debug, format: text}\ntimers: {restart: 120s, deferral: 5s, stale: 30s, audit: 60s}\n",
		c.Dir+"/resources.d", c.Dir+"/state", c.Dir+"/vbrd.sock"))
	return c
}

const twinConf = `hostname idc
router bgp 65001
 bgp router-id 172.16.1.1
 no bgp ebgp-requires-policy
 no bgp network import-check
 bgp graceful-restart
 bgp bestpath as-path multipath-relax
 neighbor 10.0.0.1 remote-as 45104
 neighbor 10.0.0.1 timers 3 9
 neighbor 10.0.0.1 timers connect 1
 neighbor 10.0.0.1 advertisement-interval 0
 neighbor 10.0.1.1 remote-as 45104
 neighbor 10.0.1.1 timers 3 9
 neighbor 10.0.1.1 timers connect 1
 neighbor 10.0.1.1 advertisement-interval 0
 address-family ipv4 unicast
  network 172.16.1.0/24
 exit-address-family
exit
`

// line is a VBR on a port, with its pair to the VPC. Health is for the VPC's end.
func (c *twin) line(name, port string, n int, more string) string {
	return fmt.Sprintf(`---
kind: PhysicalConnection
name: pc-%[1]s
device: %[2]s
---
kind: VirtualBorderRouter
name: vbr-%[1]s
owner: acme
physical_connection_id: pc-%[1]s
local_gateway_ip: 10.0.%[3]d.1
peer_gateway_ip: 10.0.%[3]d.2
peering_subnet_mask: /30
bgp_peers:
  - {peer_ip_address: 10.0.%[3]d.2, peer_asn: 65001, hold: 9, keepalive: 3, connect_retry: 1}
---
kind: RouterInterface
name: ri-%[1]s
owner: acme
router_id: vbr-%[1]s
opposite_interface_id: ri-vpc-%[1]s
---
kind: RouterInterface
name: ri-vpc-%[1]s
owner: acme
router_id: vpc-acme
role: AcceptingSide
opposite_interface_id: ri-%[1]s
%[4]s`, name, port, n, more)
}

const twinVPC = `---
kind: VRouter
name: vpc-acme
owner: acme
cidr_blocks: [10.100.0.0/16]
vswitches:
  - {name: vsw-1, cidr_block: 10.100.1.0/24, gateway_ip: 10.100.1.1, devices: [vm-acme]}
`

// twinHealth checks an address behind both lines: the check's own way leads by its router interface.
func twinHealth(n int) string {
	return fmt.Sprintf("health_check: {target_ip: 172.16.1.%d, hc_rate: 300, hc_threshold: 3}\n", 3+n)
}

func (c *twin) resources(text ...string) {
	c.t.Helper()
	c.File("resources.d/all.yaml", strings.Join(text, ""))
	if c.vbrd != nil {
		c.vbrd.Signal(syscall.SIGHUP)
		return
	}
	c.start()
}

func (c *twin) start() { c.vbrd = c.edge.Start(binary(c.t), "--config", c.Dir+"/vbrd.yaml") }

// ctl runs vbrctl, and reads its JSON.
func (c *twin) ctl(t *testing.T, v any, args ...string) {
	t.Helper()
	out, err := c.tryctl(append(args, "-o", "json")...)
	if err != nil {
		t.Fatalf("vbrctl %v: %v: %s", args, err, out)
	}
	if err := json.Unmarshal([]byte(out), v); err != nil {
		t.Fatalf("vbrctl %v: %v: %s", args, err, out)
	}
}

func (c *twin) tryctl(args ...string) (string, error) {
	return c.edge.Run(append([]string{filepath.Join(filepath.Dir(binary(c.t)), "vbrctl"), "--socket", c.Dir + "/vbrd.sock"}, args...)...)
}

const idcPrefix = "172.16.1.0/24"

type healthJSON struct {
	Status string `json:"health_check_status"`
	Lost   int
	RTT    float64 `json:"rtt_ms"`
}

type interfacesJSON struct {
	Interfaces []struct {
		Name, Status string
		Health       healthJSON `json:"health_check"`
	} `json:"router_interfaces"`
}

// health is nil when the health check of a router interface has this status.
func (c *twin) health(t *testing.T, ri, want string) error {
	var list interfacesJSON
	c.ctl(t, &list, "show", "interfaces")
	for _, x := range list.Interfaces {
		if x.Name == ri {
			if x.Health.Status == want {
				return nil
			}
			return fmt.Errorf("%s is %s, %+v", ri, x.Status, x.Health)
		}
	}
	return errors.New("no " + ri)
}

// uses is nil when the VPC's packets to a prefix leave by these of its router interfaces. What is on standby for them is in the kernel's groups too.
func (c *twin) uses(t *testing.T, prefix string, ris ...string) error {
	var list struct {
		Routes []struct{ Source struct{ Name string } }
	}
	c.ctl(t, &list, "show", "routes", "-r", "vpc-acme", prefix, "--stage", "kernel")
	var by []string
	for _, r := range list.Routes {
		by = append(by, r.Source.Name)
	}
	if slices.Sort(by); !slices.Equal(by, ris) {
		return fmt.Errorf("%s leaves by %v, want %v", prefix, by, ris)
	}
	return nil
}

type usageJSON struct {
	Usages []struct {
		RouterInterface string `json:"router_interface"`
		TxPackets       uint64 `json:"tx_packets,string"`
		RxPackets       uint64 `json:"rx_packets,string"`
		TxBytes         uint64 `json:"tx_bytes,string"`
	}
}

// usage is what a router interface has carried: packets sent and received.
func (c *twin) usage(t *testing.T, ri string) (tx, rx uint64) {
	t.Helper()
	var u usageJSON
	c.ctl(t, &u, "usage", ri)
	if len(u.Usages) != 1 {
		t.Fatalf("usage of %s: %+v", ri, u)
	}
	return u.Usages[0].TxPackets, u.Usages[0].RxPackets
}

type testJSON struct {
	ID, Status, Verdict string
	Findings            []string
	Measurements        []struct {
		Phase       string
		Sent, Lost  int
		Convergence float64 `json:"convergence_ms"`
	}
}

// TestOperations: health checks, usage, quality and failover tests on one host with two VBRs for one VPC.
func TestOperations(t *testing.T) {
	c := newTwin(t)
	c.resource = twinVPC + c.line("a", "eth1", 0, twinHealth(0)) + c.line("b", "eth2", 1, twinHealth(1))
	c.resources(c.resource)
	lab.Eventually(t, 60*time.Second, "pings from the VPC", func() error { return pings(c.vm, "", "", idcHost4) })
	lab.Eventually(t, 20*time.Second, "both lines in use", func() error { return c.uses(t, idcPrefix, "ri-vpc-a", "ri-vpc-b") })
	t.Run("health check flips and returns", c.testHealth)
	t.Run("usage", c.testUsage)
	t.Run("quality", c.testQuality)
	t.Run("drill", c.testDrill)
	t.Run("drill refused", c.testDrillRefused)
	t.Run("drill and kill", c.testDrillKilled)
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
	var list struct {
		Interfaces []struct{ Name, Device string } `json:"router_interfaces"`
	}
	c.ctl(t, &list, "show", "interfaces", "-r", "vpc-acme")
	tx3, rx3 := count()
	for _, x := range list.Interfaces {
		c.edge.IP("link del " + x.Device)
	}
	lab.Eventually(t, 60*time.Second, "both lines in use", func() error { return c.uses(t, idcPrefix, "ri-vpc-a", "ri-vpc-b") })
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
	if err == nil || !strings.Contains(out+err.Error(), "172.16.1.0/24") {
		t.Errorf("without redundancy: %v %s", err, out)
	}
	c.idc.Link("eth2", true)
	lab.Eventually(t, 40*time.Second, "both lines in use", func() error { return c.uses(t, idcPrefix, "ri-vpc-a", "ri-vpc-b") })
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
