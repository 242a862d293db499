package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/openvbr/openvbr/internal/lab"
)

// twin is a VPC with two VBRs on one host, each with a line of its own to the same IDC.
type twin struct {
	*lab.Lab
	t             *testing.T
	edge, idc, vm *lab.NS
	frr           *lab.FRR
	vbrd          *lab.Proc
}

func newTwin(t *testing.T) *twin {
	c := &twin{Lab: lab.New(t), t: t}
	c.edge, c.idc, c.vm = c.Namespace("edge"), c.Namespace("idc"), c.Namespace("vm-acme")
	c.edge.Forward()
	c.idc.Forward()
	for i, dev := range []string{"eth1", "eth2"} {
		c.Veth(c.edge, dev, c.idc, dev)
		c.idc.IP(fmt.Sprintf("addr add 10.0.%d.2/30 dev %s", i, dev), fmt.Sprintf("addr add 172.16.1.%d/32 dev lo", 3+i))
	}
	c.idc.IP("addr add " + idcHost4 + "/32 dev lo")
	c.idc.Sysctl("net.ipv4.icmp_ratelimit=0")
	c.Veth(c.edge, "vm-acme", c.vm, "eth0")
	c.vm.IP("addr add 10.100.1.10/24 dev eth0", "route add default via 10.100.1.1")
	c.frr = c.idc.FRR(twinConf, "bgpd", "bfdd")
	c.File("vbrd.yaml", fmt.Sprintf("host: edge1\nresources: %s\nstate_dir: %s\napi: {socket: %s}\nlog: {level: debug, format: text}\ntimers: {restart: 120s, deferral: 10s, stale: 30s, audit: 60s}\n",
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
 neighbor 10.0.0.1 ttl-security hops 1
 neighbor 10.0.0.1 timers 3 9
 neighbor 10.0.0.1 timers connect 1
 neighbor 10.0.0.1 advertisement-interval 0
 neighbor 10.0.1.1 remote-as 45104
 neighbor 10.0.1.1 ttl-security hops 1
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
	if by := c.sources(t, prefix, "kernel"); !slices.Equal(by, ris) {
		return fmt.Errorf("%s leaves by %v, want %v", prefix, by, ris)
	}
	return nil
}

// sources are where the VPC's routes to a prefix come from at a stage, sorted.
func (c *twin) sources(t *testing.T, prefix, stage string) (names []string) {
	t.Helper()
	var list struct {
		Routes []struct{ Source struct{ Name string } }
	}
	c.ctl(t, &list, "show", "routes", "-r", "vpc-acme", prefix, "--stage", stage)
	for _, r := range list.Routes {
		names = append(names, r.Source.Name)
	}
	slices.Sort(names)
	return names
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

// reload has vbrd read its resources again.
func (c *twin) reload() { c.vbrd.Signal(syscall.SIGHUP) }
