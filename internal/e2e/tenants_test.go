package e2e

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/bench/feed"
	"github.com/openvbr/openvbr/internal/lab"
	"github.com/openvbr/openvbr/internal/pkitest"
)

const (
	tenantCount = 32 // acme, who has FRR, and 31 who are played by this process
	tenantKey   = "equal-for-all"
	strangerKey = "of-the-stranger"
)

// tenant is one of many with the same addresses and prefixes, each on a VLAN of its own of one port, and with a VPC on another host. What tells
// them apart is the name, the AS and the community of its routes.
type tenant struct {
	name      string
	number    int
	asn       uint32
	vlan      int
	vni       int
	key       string
	line, vm  *lab.NS // at the line's far end, in the VPC
	lineDev   string  // at the edge host
	session   *feed.Session
	bridge    string // of the vSwitch, at the other host
	uid, gid  int
	community uint32
}

// matrix is the edge host with all tenants' lines, and the host with all their VPCs.
type matrix struct {
	*region
	tenants  []*tenant // tenantCount
	stranger *tenant   // one more, whose key is its own, and whose session is not up before dial
}

func newTenant(number int) *tenant {
	n := &tenant{name: fmt.Sprintf("tenant%02d", number), number: number, asn: 65100 + uint32(number), vlan: 100 + number, vni: 5001 + number,
		key: tenantKey, uid: 47000 + number, gid: 48000 + number}
	if number == 0 {
		n.name, n.asn = "acme", 65001
	}
	n.community = n.asn<<16 | uint32(number)
	n.lineDev = fmt.Sprintf("eth1.%d", n.vlan)
	return n
}

func newMatrix(t *testing.T) *matrix {
	m := &matrix{region: newRegion(t, false)}
	for i := range tenantCount + 1 {
		n := newTenant(i)
		m.tenants = append(m.tenants, n)
		if i == 0 {
			n.line, n.vm = m.idc, m.vm
		} else {
			m.lay(n)
		}
	}
	m.stranger = m.tenants[tenantCount]
	m.stranger.key = strangerKey
	m.tenants = m.tenants[:tenantCount]
	if err := m.frr.Configure("router bgp 65001", "neighbor 10.0.0.1 password "+tenantKey, "neighbor fd00::1 password "+tenantKey); err != nil {
		t.Fatal(err)
	}
	m.users()
	m.serveAll()
	return m
}

// everybody is the tenants and the stranger.
func (m *matrix) everybody() []*tenant { return append(slices.Clone(m.tenants), m.stranger) }

// lay lays a tenant's line, of which idc's eth0 is the trunk, and its VPC's machine.
func (m *matrix) lay(n *tenant) {
	n.line, n.vm = m.Namespace("c-"+n.name), m.Namespace("vm-"+n.name)
	dev := fmt.Sprintf("c%d", n.vlan)
	m.idc.IP(fmt.Sprintf("link add link eth0 name %s type vlan id %d", dev, n.vlan), "link set "+dev+" netns "+n.line.Name)
	n.line.IP("link set "+dev+" up", "addr add 10.0.0.2/30 dev "+dev, "addr add fd00::2/126 dev "+dev+" nodad",
		"addr add "+idcHost4+"/24 dev lo", "route add default via 10.0.0.1", "route add ::/0 via fd00::1")
	m.Veth(m.gw, "vm-"+n.name, n.vm, "eth0")
	n.vm.IP("addr add 10.100.1.10/24 dev eth0", "addr add 2001:db8:100:1::10/64 dev eth0 nodad",
		"route add default via 10.100.1.1", "route add ::/0 via 2001:db8:100:1::1")
}

// users are one of this machine for each tenant. Of every second the uid says whose it is, of the others the group.
func (m *matrix) users() {
	var roles []string
	groups := "root:x:0:\n"
	for _, n := range m.everybody() {
		match := fmt.Sprintf("uid:%d", n.uid)
		if n.number%2 == 1 {
			match = "group:" + n.name
		}
		groups += fmt.Sprintf("%s:x:%d:\n", n.name, n.gid)
		roles = append(roles, fmt.Sprintf("{match: %q, role: operator, owners: [%s]}", match, n.name))
	}
	m.api = ", rate: 10000, socket_group: root, roles: [" + strings.Join(roles, ", ") + "]"
	if err := syscall.Mount(m.File("group", groups), "/etc/group", "", syscall.MS_BIND, ""); err != nil {
		m.t.Fatal(err)
	}
	m.Cleanup(func() { _ = syscall.Unmount("/etc/group", syscall.MNT_DETACH) })
}

// serveAll starts both hosts' vbrd.
func (m *matrix) serveAll() {
	tls := m.certificates()
	m.settings = fmt.Sprintf("metrics: {listen: '0.0.0.0:%d'}\n", metricsPort)
	line, vpc := far(lineEnd), far(vpcEnd)
	edge := []string{"kind: PhysicalConnection\nname: pc-1\ndevice: eth1\n"}
	var gw []string
	_, vbr, _ := strings.Cut(vbrYAML, "---\n")
	for _, n := range m.everybody() {
		key := m.File("edge/keys/"+n.name+"/bgp", n.key+"\n")
		own := strings.NewReplacer("acme", n.name, "ri-line", "ri-line-"+n.name, "ri-vpc", "ri-vpc-"+n.name, "vlan_id: 100", fmt.Sprint("vlan_id: ", n.vlan),
			"65001", fmt.Sprint(n.asn), "5001", fmt.Sprint(n.vni), "hold: 9, keepalive: 3", "hold: 240, keepalive: 80", "retry: 1}", "retry: 1, auth_key_file: "+key+"}")
		edge = append(edge, "---\n", own.Replace(vbr), "---\n", own.Replace(line))
		gw = append(gw, own.Replace(vpcYAML), "---\n", own.Replace(vpc))
	}
	api := m.api
	m.api += tls
	m.serve(m.edge, edgeVTEP, edge...)
	m.api = api
	m.serve(m.gw, gwVTEP, gw...)
}

// table is what a tenant announces: the same prefixes as all.
func (n *tenant) table() *feed.Table {
	return &feed.Table{Groups: []feed.Group{{Communities: []uint32{n.community},
		Prefixes: []netip.Prefix{netip.MustParsePrefix("172.16.1.0/24"), netip.MustParsePrefix("172.16.2.0/24")}}}}
}

// peer is the tenant's end of its session.
func (n *tenant) peer() feed.Peer {
	return feed.Peer{ASN: n.asn, Local: netip.MustParseAddr("10.0.0.2"), Remote: netip.MustParseAddr("10.0.0.1"), Retry: 500 * time.Millisecond, Key: n.key}
}

// dial brings a tenant's session up and announces its routes.
func (m *matrix) dial(n *tenant) error {
	ctx, cancel := context.WithTimeout(m.Context(), 3*time.Minute)
	defer cancel()
	s, err := n.peer().Dial(ctx, n.line.Do)
	if err != nil {
		return fmt.Errorf("%s: %w", n.name, err)
	}
	n.session = s
	m.Cleanup(s.Close)
	return s.Send(append(n.table().Updates(n.asn, netip.MustParseAddr("10.0.0.2"), 0), feed.EndOfRIB()...))
}

// up is nil when packets get both ways between a tenant's data centre and its VPC.
func (n *tenant) up() error {
	if err := pings(n.vm, "", "", idcHost4, "fd00::2"); err != nil {
		return err
	}
	return pings(n.line, idcHost4, "", "10.100.1.10")
}

// TestTenantMatrix: many tenants with equal addresses, prefixes and keys on one port. Of no pair has one anything of the other: no packet, no route,
// no line in the log, no series of the metrics, no word of the API; and none reaches the hosts or what is between them.
func TestTenantMatrix(t *testing.T) {
	m := newMatrix(t)
	began := time.Now()
	for _, n := range m.tenants[1:] {
		if err := m.dial(n); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range m.tenants {
		lab.Eventually(t, 60*time.Second, n.name+" and its VPC", n.up)
	}
	t.Logf("%d tenants and their VPCs reach each other after %v", tenantCount, time.Since(began).Round(100*time.Millisecond))
	t.Run("tables", m.testTables)
	t.Run("packets", m.testPackets)
	t.Run("wrong line", m.testWrongLine)
	t.Run("API", m.testAPI)
	t.Run("log", m.testLog)
	t.Run("metrics", m.testMetrics)
	t.Run("host", m.testHost)
	t.Run("underlay", m.testUnderlay)
	t.Run("injected", m.testInjected)
	for _, n := range m.tenants[1:] {
		if err := n.session.Lost(); err != nil {
			t.Errorf("%s lost its session meanwhile: %v", n.name, err)
		}
	}
}

// testWrongLine: a tenant's key, or its AS, on another's line is refused, though all addresses are right. Who has both right comes in.
func (m *matrix) testWrongLine(t *testing.T) {
	try := func(asn uint32, key string) error {
		p := m.stranger.peer()
		p.ASN, p.Key = asn, key
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		s, err := p.Dial(ctx, m.stranger.line.Do)
		if err == nil {
			s.Close()
		}
		return err
	}
	for what, asn := range map[string]uint32{"with all others' key": m.stranger.asn, "with all others' key and another's AS": m.tenants[5].asn} {
		if err := try(asn, tenantKey); err == nil || !strings.Contains(err.Error(), "timeout") {
			t.Errorf("%s: %v; want no connection", what, err)
		}
	}
	lab.Eventually(t, 20*time.Second, "a connection with another's AS is ended before there is a session", func() error {
		err := try(m.tenants[5].asn, strangerKey)
		if err == nil {
			t.Error("with another's AS there is a session")
		} else if strings.Contains(err.Error(), "timeout") {
			return err
		}
		return nil
	})
	if err := m.dial(m.stranger); err != nil {
		t.Error(err)
	}
	lab.Eventually(t, 30*time.Second, "the stranger and its VPC", m.stranger.up)
}

// names of tenants in a text.
var tenantNames = regexp.MustCompile(`acme|tenant\d\d`)

// marks are the words in a text that tell whose it is.
func (m *matrix) marks(text string) (names []string) {
	names = tenantNames.FindAllString(text, -1)
	for _, number := range asNumbers.FindAllString(text, -1) {
		for _, n := range m.everybody() {
			if fmt.Sprint(n.asn) == number {
				names = append(names, n.name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

var asNumbers = regexp.MustCompile(`\b65\d\d\d\b`)

// testLog: a line that is about one tenant's router is about no other's.
func (m *matrix) testLog(t *testing.T) {
	for _, ns := range []*lab.NS{m.edge, m.gw} {
		seen := make(map[string]int)
		for line := range strings.Lines(m.vbrds[ns].Log()) {
			names := m.marks(line)
			if len(names) > 1 {
				t.Errorf("%s logs of %q in one line: %.500s", ns.Name, names, line)
			}
			for _, name := range names {
				seen[name]++
			}
		}
		for _, n := range m.everybody() {
			if seen[n.name] == 0 {
				t.Errorf("%s logs nothing of %s", ns.Name, n.name)
			}
		}
	}
}

// certificates makes those of the edge host's API at a TCP port and returns the settings.
func (m *matrix) certificates() string {
	dir := filepath.Dir(m.File("tls/README", ""))
	ca := pkitest.New(m.t, "test CA")
	ca.Write(m.t, dir+"/ca.pem", dir+"/ca.key")
	pkitest.Write(m.t, ca.Issue(m.t, &x509.Certificate{Subject: pkix.Name{CommonName: "edge"}}), dir+"/server.pem", dir+"/server.key")
	return fmt.Sprintf(", listen: \"0.0.0.0:%d\", tls: {certificate: %s/server.pem, key: %[2]s/server.key, client_ca: %[2]s/ca.pem}", apiPort, dir)
}
