package admin

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/openvbr/openvbr/bgp/evpn"
	"github.com/openvbr/openvbr/internal/fault"
)

// site is an edge with fault points, between a customer's BIRD and the gateway of a VPC, which is an EVPN speaker of this process. What
// should be is numbered: an even and an odd one differ in everything that a change can change, see wanted.
type site struct {
	*edge
	backbone string // of its network, "10.255.N."
	routes   int    // how many more the customer announces always
	ballast  int    // how many more resources the intent has, of another host: the store is etcd then
	etcd     string // URL of the etcd that is the store; "": the store is a file
	daemon   *daemon
	vpc      *vpc
	lost     *losses
}

// daemon is a vbrd that may end by itself.
type daemon struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	told int64         // where its part of the log begins
}

func (d *daemon) alive() bool {
	select {
	case <-d.done:
		return false
	default:
		return true
	}
}

// end sends a signal and waits for the end.
func (d *daemon) end(sig syscall.Signal) error {
	_ = d.cmd.Process.Signal(sig)
	select {
	case <-d.done:
		return nil
	case <-time.After(10 * time.Second):
		return fmt.Errorf("vbrd has not ended 10 s after %v", sig)
	}
}

var sites atomic.Int32

// foreign is what others have on the edge: it must outlive everything.
var foreign = []string{"route add 198.51.100.0/24 dev bb0 proto static metric 50", "route add 198.51.101.0/24 dev bb0 proto static metric 179",
	"link add theirs0 type vxlan id 77 dstport 4790 local 127.0.0.1", "nexthop add id 77 dev bb0 proto static"}

// newSite makes all but the vbrd; more routes of the customer, all in 20.0.0.0/8, are announced always.
func newSite(t *testing.T, routes int) *site {
	t.Helper()
	n := sites.Add(1)
	s := &site{backbone: fmt.Sprintf("10.255.%d.", n), routes: routes}
	name := fmt.Sprintf("site%d", n)
	s.edge = newEdge(t, name, fmt.Sprintf("backbone: {asn: 64600, router_id: %s1, vtep: %[1]s1, prefixes: [%[1]s0/24], peers: [{address: %[1]s2, asn: 64600, connect_retry: 1}]}\n", s.backbone))
	settings, err := os.ReadFile(s.path("vbrd.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, s.path("vbrd.yaml"), strings.Replace(string(settings), "stale: 20s", "audit: 2s, stale: 20s", 1))
	ip(t, "link add to-"+name+" type veth peer name bb0 netns "+name, "addr add "+s.backbone+"2/24 dev to-"+name, "link set to-"+name+" up",
		"-n "+name+" addr add "+s.backbone+"1/24 dev bb0", "-n "+name+" link set bb0 up")
	t.Cleanup(func() { ip(t, "link del to-"+name) })
	ip(t, "-n idc-"+name+" addr add 10.0.0.3/24 dev eth0", "-n idc-"+name+" addr add fd00::2/126 dev eth0 nodad")
	for _, line := range foreign {
		s.ip(line)
	}
	return s
}

// vpc is a VPC's gateway: what it announces, and what it has heard.
type vpc struct {
	speaker *evpn.Speaker
	mu      sync.Mutex
	heard   map[evpn.Key]heardRoute
	session int
	up      bool
}

type heardRoute struct {
	target  string
	session int // in which it was last announced
}

func (v *vpc) Update(u evpn.Update) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, k := range u.Withdrawn {
		delete(v.heard, k)
	}
	for i := range u.Announced {
		r := &u.Announced[i]
		v.heard[r.Key] = heardRoute{r.Targets[0].String(), v.session}
	}
}

func (v *vpc) PeerState(p evpn.PeerState) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if p.Established {
		v.session++
	} else if !p.GracefulRestart.Hold {
		clear(v.heard)
	}
	v.up = p.Established
}

func (v *vpc) EndOfRIB(netip.Addr) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for k, r := range v.heard {
		if r.session < v.session {
			delete(v.heard, k)
		}
	}
}

// prefixes are what it holds for a route target, without the presence; and for others.
func (v *vpc) prefixes(target string) (its, others []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for k, r := range v.heard {
		switch {
		case k.Prefix.Bits() > 32 && k.Prefix.Addr().Is6():
		case r.target == target:
			its = append(its, k.Prefix.String())
		default:
			others = append(others, k.String())
		}
	}
	slices.Sort(its)
	return its, others
}

// startVPC has it announce, for each of the two route targets, a route that both have and one of its own.
func (s *site) startVPC() {
	s.t.Helper()
	own, edge := netip.MustParseAddr(s.backbone+"2"), netip.MustParseAddr(s.backbone+"1")
	v := &vpc{heard: map[evpn.Key]heardRoute{}}
	speaker, err := evpn.Start(context.Background(), evpn.Config{ASN: 64600, RouterID: own, VTEP: own, Listen: []netip.Addr{own}, RestartTime: time.Minute}, v)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = speaker.Close(false) })
	v.speaker, s.vpc = speaker, v
	var routes []evpn.Route
	for i := range 2 {
		target, _ := evpn.ParseRouteTarget(fmt.Sprintf("64600:%d", 5000+i))
		for _, prefix := range []string{"10.100.0.0/16", fmt.Sprintf("10.%d.0.0/16", 101+i)} {
			rd, _ := evpn.ParseRD(fmt.Sprintf("192.0.2.9:%d", 1+i))
			routes = append(routes, evpn.Route{Key: evpn.Key{RD: rd, Prefix: netip.MustParsePrefix(prefix)}, VNI: uint32(5000 + i), RouterMAC: evpn.MAC{2, 0, 0, 0, 0, 9}, Targets: []evpn.RouteTarget{target}})
		}
	}
	if err := speaker.Export(routes); err != nil {
		s.t.Fatal(err)
	}
	if err := speaker.SetPeers([]evpn.Peer{{Address: edge, ASN: 64600, Passive: true}}); err != nil {
		s.t.Fatal(err)
	}
}

// wanted is intent n: an even one has one peer; an odd one has two, and an IPv6 address. Each has a router interface that the other has not.
func wanted(n int) string {
	more := fmt.Sprintf("description: intent %d\nbgp_peers:\n- {peer_ip_address: 10.0.0.2, peer_asn: 65001, connect_retry: 1, route_quota: 100000}\n", n)
	if n%2 == 1 {
		more += "- {peer_ip_address: 10.0.0.3, peer_asn: 65001, connect_retry: 1, route_quota: 100000}\n" +
			"local_ipv6_gateway_ip: fd00::1\npeer_ipv6_gateway_ip: fd00::2\npeering_ipv6_subnet_mask: /126\n"
	}
	return acme(more) + fmt.Sprintf("---\nkind: RouterInterface\nname: ri-%d\nowner: acme\nrouter_id: vbr-acme\nvni: %d\nroute_target: \"64600:%[2]d\"\n", n%2, 5000+n%2)
}

// announced is what the customer announces when n is wanted.
func (s *site) announced(n int) []string {
	list := []string{"172.16.1.0/24", fmt.Sprintf("172.16.%d.0/24", 10+n%2)}
	for i := range s.routes {
		list = append(list, fmt.Sprintf("20.%d.%d.0/24", i/256, i%256))
	}
	return list
}

// customer has its two BIRDs, 10.0.0.2 and 10.0.0.3, announce what goes with n; it starts those that do not run.
func (s *site) customer(n int) {
	s.t.Helper()
	var lan, wan strings.Builder
	for i, p := range s.announced(n) {
		to := &lan
		if i > 1 {
			to = &wan
		}
		fmt.Fprintf(to, "route %s unreachable;\n", p)
	}
	for i := 2; i <= 3; i++ {
		control := s.path(fmt.Sprintf("bird%d.ctl", i))
		conf := put(s.t, s.path(fmt.Sprintf("bird%d.conf", i)), fmt.Sprintf(`log stderr { fatal };
router id 10.0.0.%d;
protocol device { scan time 1; }
protocol static lan { ipv4; %s }
protocol static wan { ipv4; %s }
protocol bgp edge { strict bind yes; local 10.0.0.%[1]d as 65001; neighbor 10.0.0.1 as 45104; graceful restart on; ttl security on; hold time 240;
  connect delay time 1; connect retry time 1; error wait time 1, 2; ipv4 { import all; export where source = RTS_STATIC; }; }
`, i, lan.String(), wan.String()))
		if _, err := os.Stat(control); err != nil {
			start(s.t, s.log, "ip", "netns", "exec", "idc-"+s.host, "bird", "-f", "-c", conf, "-s", control, "-P", control+".pid")
		} else if out, err := s.birdc(i, "configure"); err != nil || !strings.Contains(out, "econfigur") {
			s.t.Fatalf("birdc: %v: %s", err, out)
		}
	}
}

func (s *site) birdc(i int, words string) (string, error) {
	out, err := exec.Command("birdc", append([]string{"-s", s.path(fmt.Sprintf("bird%d.ctl", i))}, strings.Fields(words)...)...).CombinedOutput()
	return string(out), err
}

// launch starts vbrd with a fault point armed, or none, and waits until its API listens or it has ended.
func (s *site) launch(what string) {
	s.t.Helper()
	d := s.spawn(what)
	eventually(s.t, "vbrd's API listens", func() error {
		if !d.alive() {
			return nil
		}
		return has(s.log.since(d.told), "api listens")
	})
}

// spawn is launch without waiting.
func (s *site) spawn(what string) *daemon {
	s.t.Helper()
	cmd := exec.Command("ip", "netns", "exec", s.host, binary(s.t, "vbrd-faults"), "--config", s.path("vbrd.yaml"))
	cmd.Stdout, cmd.Stderr = s.log.file, s.log.file
	cmd.Env = append(os.Environ(), fault.Variable+"="+what)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	d := &daemon{cmd: cmd, done: make(chan struct{}), told: s.log.len()}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait()
		close(d.done)
	}()
	s.t.Cleanup(func() { _ = d.end(syscall.SIGKILL) })
	s.daemon = d
	return d
}

// losses are the times at which a route was missing.
type losses struct {
	mu    sync.Mutex
	times []string
}

// take returns and forgets them.
func (l *losses) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	times := l.times
	l.times = nil
	return times
}

// watchRoute asks the kernel a hundred times a second, until the test ends, for its route to an address.
func (s *site) watchRoute(address string) {
	s.t.Helper()
	ns, err := netns.GetFromName(s.host)
	if err != nil {
		s.t.Fatal(err)
	}
	h, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = ns.Close()
	l, stop, ended := &losses{}, make(chan struct{}), make(chan struct{})
	s.lost = l
	go func() {
		defer close(ended)
		defer h.Close()
		for tick := time.NewTicker(10 * time.Millisecond); ; {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			if _, err := h.RouteGet(net.ParseIP(address)); err != nil {
				l.mu.Lock()
				l.times = append(l.times, fmt.Sprint(time.Now().UTC().Format("05.000 "), err))
				l.mu.Unlock()
			}
		}
	}()
	s.t.Cleanup(func() { close(stop); <-ended })
}
