package e2e

import (
	wire "encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/openvbr/openvbr/internal/lab"
)

// kernelRoute is a line of `ip -j route show table all`.
type kernelRoute struct {
	Dst, Dev, Type, Table string
	NHID                  int `json:"nhid"`
}

// testTables: each table has the tenant's routes, by its own devices, and nothing else.
func (m *matrix) testTables(t *testing.T) {
	for _, ns := range []*lab.NS{m.edge, m.gw} {
		byTable := m.owners(ns)
		devices := nexthopDevices(t, ns)
		found := make(map[string]bool)
		for _, family := range []string{"-4", "-6"} {
			var routes []kernelRoute
			if err := ns.JSON(&routes, "ip", "-j", "-N", family, "route", "show", "table", "all"); err != nil {
				t.Fatal(err)
			}
			for _, r := range routes {
				if r.NHID != 0 {
					r.Dev = devices[r.NHID]
				}
				switch n := byTable[r.Table]; {
				case n == nil && (strings.Contains(r.Dev, ".") || strings.HasPrefix(r.Dev, "vx")):
					t.Errorf("%s: a tenant's device in table %q: %+v", ns.Name, r.Table, r)
				case n != nil && r.Dev != "" && r.Dev != "lo" && !slices.Contains(n.devices(ns.Name), r.Dev):
					t.Errorf("%s: in the table of %s: %+v", ns.Name, n.name, r)
				case n != nil:
					found[n.name+" "+r.Dst+" "+r.Dev] = true
				}
			}
		}
		for _, n := range m.tenants {
			vx := fmt.Sprint(" vx", n.vni)
			want := []string{" 172.16.1.0/24" + vx, " 10.0.0.0/30" + vx, " fd00::/126" + vx}
			if ns == m.edge {
				want = []string{" 172.16.1.0/24 " + n.lineDev, " 10.100.0.0/16" + vx, " 2001:db8:100::/48" + vx}
			}
			for _, w := range want {
				if !found[n.name+w] {
					t.Errorf("%s: %s has no%s", ns.Name, n.name, w)
				}
			}
		}
	}
}

// owners are the tenants by the number of the table that their VRF on a host has.
func (m *matrix) owners(ns *lab.NS) map[string]*tenant {
	byTable := make(map[string]*tenant)
	err := ns.Do(func() error {
		links, err := netlink.LinkList()
		for _, l := range links {
			v, ok := l.(*netlink.Vrf)
			if !ok {
				continue
			}
			for _, n := range m.everybody() {
				if !strings.HasSuffix(v.Name, "-"+n.name) {
					continue
				}
				byTable[fmt.Sprint(v.Table)] = n
				for _, b := range links {
					if b.Type() == "bridge" && b.Attrs().MasterIndex == v.Index {
						n.bridge = b.Attrs().Name
					}
				}
			}
		}
		return err
	})
	if err != nil || len(byTable) != tenantCount+1 {
		m.t.Fatalf("%s: %d VRFs, %v", ns.Name, len(byTable), err)
	}
	return byTable
}

// devices are a tenant's on a host.
func (n *tenant) devices(host string) []string {
	if host == "edge" {
		return []string{"vbr-" + n.name, n.lineDev, fmt.Sprint("vx", n.vni)}
	}
	return []string{"vpc-" + n.name, n.bridge, fmt.Sprint("vx", n.vni)}
}

func nexthopDevices(t *testing.T, ns *lab.NS) map[int]string {
	var objects []struct {
		ID    int
		Dev   string
		Group []struct{ ID int }
	}
	if err := ns.JSON(&objects, "ip", "-j", "nexthop"); err != nil {
		t.Fatal(err)
	}
	devices := make(map[int]string)
	for _, o := range objects {
		devices[o.ID] = o.Dev
	}
	for _, o := range objects {
		if len(o.Group) == 1 { // no tenant has two ways
			devices[o.ID] = devices[o.Group[0].ID]
		}
	}
	return devices
}

// mailbox counts what arrives at a UDP port, by content.
type mailbox struct {
	conn net.PacketConn
	done chan struct{}
	mu   sync.Mutex
	got  map[string]int
}

const mailPort = 7777

// mailbox opens one in a namespace.
func (m *matrix) mailbox(ns *lab.NS, network, address string) *mailbox {
	b := &mailbox{done: make(chan struct{}), got: make(map[string]int)}
	err := ns.Do(func() (err error) {
		b.conn, err = net.ListenPacket(network, address)
		return err
	})
	if err != nil {
		m.t.Fatalf("%s: %v", ns.Name, err)
	}
	go b.read()
	return b
}

func (b *mailbox) read() {
	defer close(b.done)
	buf := make([]byte, 2048)
	for {
		n, _, err := b.conn.ReadFrom(buf)
		if err != nil {
			return // closed
		}
		text, _, _ := strings.Cut(string(buf[:n]), "\x00")
		b.mu.Lock()
		b.got[text]++
		b.mu.Unlock()
	}
}

// close ends it and returns what came.
func (b *mailbox) close() map[string]int {
	_ = b.conn.Close()
	<-b.done
	return b.got
}

// has says how often a text has come.
func (b *mailbox) has(text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.got[text]
}

// send sends datagrams with a text, of so many bytes, to an address and port.
func send(ns *lab.NS, from, to string, port, count, size int, text string) error {
	return ns.Do(func() error {
		d := net.Dialer{}
		if from != "" {
			d.LocalAddr = &net.UDPAddr{IP: net.ParseIP(from)}
		}
		c, err := d.Dial("udp", net.JoinHostPort(to, fmt.Sprint(port)))
		if err != nil {
			return err
		}
		defer c.Close()
		data := append([]byte(text), make([]byte, max(0, size-len(text)))...)
		for range count {
			_, err = c.Write(data)
		}
		return err
	})
}

// testPackets: what each tenant sends to the addresses that all have arrives at its own end and at no other's, in both directions and families, and is
// counted at its own devices and at no other's.
func (m *matrix) testPackets(t *testing.T) {
	const count, size = 20, 1000
	boxes := make(map[string]*mailbox)
	for _, n := range m.tenants {
		boxes["line of "+n.name] = m.mailbox(n.line, "udp", fmt.Sprint(":", mailPort))
		boxes["VPC of "+n.name] = m.mailbox(n.vm, "udp", fmt.Sprint(":", mailPort))
	}
	for _, n := range m.tenants {
		before := m.bytes()
		for _, x := range []struct {
			ns       *lab.NS
			from, to string
		}{{n.line, idcHost4, "10.100.1.10"}, {n.line, "fd00::2", "2001:db8:100:1::10"}, {n.vm, "", idcHost4}, {n.vm, "", "fd00::2"}} {
			if err := send(x.ns, x.from, x.to, mailPort, count, size, n.name); err != nil {
				t.Errorf("%s to %s: %v", x.ns.Name, x.to, err)
			}
		}
		after := m.bytes()
		for end := time.Now().Add(3 * time.Second); time.Now().Before(end) && after[n.lineDev]-before[n.lineDev] < 4*count*size; after = m.bytes() {
			time.Sleep(50 * time.Millisecond) // they are still under way
		}
		for _, o := range m.tenants {
			for _, dev := range o.devices("edge")[1:] {
				switch moved := after[dev] - before[dev]; {
				case o != n && moved > count*size/2: // less than half of what one of four directions is: probes and keepalives of its own
					t.Errorf("%s sent, and %s of %s counted %d bytes", n.name, dev, o.name, moved)
				case o == n && moved < 4*count*size:
					t.Errorf("%s sent %d bytes, and its %s counted %d", n.name, 4*count*size, dev, moved)
				}
			}
		}
	}
	time.Sleep(300 * time.Millisecond)
	pairs := 0
	for place, b := range boxes {
		got := b.close()
		for _, n := range m.tenants {
			want := 0
			if strings.HasSuffix(place, " "+n.name) {
				want = 2 * count // both families
			}
			if got[n.name] != want {
				t.Errorf("of %s the %s got %d packets, want %d", n.name, place, got[n.name], want)
			}
			pairs++
		}
	}
	t.Logf("%d pairs of a sender and a place", pairs)
}

// bytes are those that the edge host's devices have counted, both ways.
func (m *matrix) bytes() map[string]uint64 {
	counted := make(map[string]uint64)
	err := m.edge.Do(func() error {
		links, err := netlink.LinkList()
		for _, l := range links {
			if s := l.Attrs().Statistics; s != nil {
				counted[l.Attrs().Name] = s.RxBytes + s.TxBytes
			}
		}
		return err
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return counted
}

// vxlanPacket is a VXLAN packet (RFC 7348 5) for a VNI that carries a datagram with a text to a host of the data centre.
func vxlanPacket(vni int, mac net.HardwareAddr, text string) []byte {
	p := []byte{8, 0, 0, 0, byte(vni >> 16), byte(vni >> 8), byte(vni), 0}
	p = append(p, mac...)
	p = append(p, 2, 0, 0, 0, 0, 99, 8, 0)
	src, dst := netip.MustParseAddr("10.100.1.10").As4(), netip.MustParseAddr(idcHost4).As4()
	ip := []byte{0x45, 0, 0, 0, 0, 1, 0, 0, 64, 17, 0, 0}
	ip = append(append(ip, src[:]...), dst[:]...)
	wire.BigEndian.PutUint16(ip[2:], uint16(28+len(text)))
	var sum uint32
	for i := 0; i < len(ip); i += 2 {
		sum += uint32(wire.BigEndian.Uint16(ip[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	wire.BigEndian.PutUint16(ip[10:], ^uint16(sum))
	udp := wire.BigEndian.AppendUint16(nil, 7000)
	udp = wire.BigEndian.AppendUint16(udp, mailPort)
	udp = wire.BigEndian.AppendUint16(udp, uint16(8+len(text)))
	udp = append(udp, 0, 0) // no checksum
	return append(append(append(p, ip...), udp...), text...)
}

// testInjected: a VXLAN packet with a VNI brings nothing in from a tenant's line, nor from its VPC. From the underlay it does, which is the
// backbone's to guard: so the packet is right.
func (m *matrix) testInjected(t *testing.T) {
	victim := m.tenants[2]
	box := m.mailbox(victim.line, "udp", fmt.Sprint(":", mailPort))
	mac := m.macOf(fmt.Sprint("vx", victim.vni))
	for _, n := range m.tenants {
		for _, to := range []string{edgeVTEP, "10.0.0.1"} {
			_ = send(n.line, "", to, 4789, 2, 0, string(vxlanPacket(victim.vni, mac, "from the line of "+n.name)))
		}
		_ = send(n.vm, "", edgeVTEP, 4789, 2, 0, string(vxlanPacket(victim.vni, mac, "from the VPC of "+n.name)))
	}
	control := func() error {
		if err := send(m.underlay(), "", edgeVTEP, 4789, 1, 0, string(vxlanPacket(victim.vni, mac, "from the underlay"))); err != nil {
			return err
		}
		if box.has("from the underlay") == 0 {
			return fmt.Errorf("nothing has come")
		}
		return nil
	}
	lab.Eventually(t, 5*time.Second, "the packet from the underlay", control)
	for text := range box.close() {
		if text != "from the underlay" {
			t.Errorf("%s has got a packet %s", victim.name, text)
		}
	}
}

func (m *matrix) macOf(dev string) (mac net.HardwareAddr) {
	err := m.edge.Do(func() error {
		l, err := netlink.LinkByName(dev)
		if err == nil {
			mac = l.Attrs().HardwareAddr
		}
		return err
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return mac
}

func (m *matrix) underlay() *lab.NS { return m.Namespace("underlay") }
