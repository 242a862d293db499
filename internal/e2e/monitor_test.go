package e2e

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
	"github.com/openvbr/openvbr/internal/lab/topo"
)

// collectorIP is where collectors are, on the underlay: at 11019 one that reads, at 11020 one that never does; at the next address nobody is.
const collectorIP = "192.0.2.60"

// monitored is a world whose vbrd tells collectors and writes dumps.
type monitored struct {
	*world
	collector *lab.NS
	packets   string // what came to the collectors, as a capture file
	dumps     string
}

func newMonitored(t *testing.T) *monitored {
	m := &monitored{world: &world{Topology: topo.FirstLight(lab.New(t), topo.Options{}), t: t}}
	m.collector = m.Lab.Namespace("collector")
	m.Lab.Veth(m.collector, "eth0", m.Underlay, "collector")
	m.Underlay.IP("link set collector master br0")
	m.collector.IP("addr add " + collectorIP + "/24 dev eth0")
	m.packets, m.dumps = filepath.Join(m.Lab.Dir, "bmp.pcap"), filepath.Join(m.StateDir, "mrt")
	m.collector.Start("tcpdump", "-Z", "root", "-U", "-i", "eth0", "-w", m.packets, "tcp", "port", "11019")
	for _, port := range []string{"11019", "11020"} {
		m.listen(port)
	}
	settings, err := os.ReadFile(m.Config)
	if err != nil {
		t.Fatal(err)
	}
	m.Lab.File("vbrd.yaml", string(settings)+"bmp: {collectors: ['"+collectorIP+":11019', '"+collectorIP+":11020', '192.0.2.61:11019']}\n"+
		"mrt: {directory: "+m.dumps+", interval: 2s, keep: 3}\n")
	m.vbrd = m.StartVbrd(binary(t))
	m.WaitBGP(40 * time.Second)
	for _, c := range m.customers() {
		lab.Eventually(t, 20*time.Second, c.Name+"'s pings", c.PingBoth)
	}
	return m
}

// listen is a collector; the one at 11020 accepts and does no more.
func (m *monitored) listen(port string) {
	var l net.Listener
	err := m.collector.Do(func() (err error) {
		l, err = net.Listen("tcp", collectorIP+":"+port)
		return err
	})
	if err != nil {
		m.t.Fatal(err)
	}
	m.Lab.Cleanup(func() { _ = l.Close() })
	go func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			m.Lab.Cleanup(func() { _ = c.Close() })
			if port == "11019" {
				go func() { // ends with the connection
					buf := make([]byte, 64<<10)
					for err == nil {
						_, err = c.Read(buf)
					}
				}()
			}
		}
	}()
}

// tshark decodes a capture file.
func (m *monitored) tshark(file string, args ...string) (string, error) {
	return m.collector.Run(append([]string{"tshark", "-n", "-r", file}, args...)...)
}

// TestMonitoring: what a provider sees of its customers' sessions: captures by vbrctl, BMP as tshark decodes it, and MRT dumps as bgpdump reads them.
func TestMonitoring(t *testing.T) {
	m := newMonitored(t)
	t.Run("capture", m.testCapture)
	t.Run("capture refused", m.testCaptureRefused)
	t.Run("BMP", m.testBMP)
	t.Run("MRT", m.testMRT)
}

// testCapture: acme's keepalives are there, and of beta, who has the same addresses, nothing.
func (m *monitored) testCapture(t *testing.T) {
	file := filepath.Join(m.Lab.Dir, "acme.pcap")
	out, err := m.Vbrctl(binary(t), "capture", "vbr-acme", "--filter", "tcp port 179", "--duration", "5s", "-w", file)
	if err != nil {
		t.Fatal(err, out)
	}
	decoded, err := m.tshark(file, "-Y", "bgp.type == 4", "-T", "fields", "-e", "ip.addr", "-e", "ipv6.addr")
	if err != nil || strings.Count(decoded, "\n") < 4 || !strings.Contains(decoded, "10.0.0.2") || !strings.Contains(decoded, "10.0.0.6") || !strings.Contains(decoded, "fd00::2") {
		t.Errorf("keepalives: %v\n%s", err, decoded)
	}
	all := filepath.Join(m.Lab.Dir, "all.pcap")
	done := make(chan error, 1)
	go func() { // ends with the capture
		out, err := m.Vbrctl(binary(t), "capture", "vbr-acme", "--duration", "3s", "-w", all)
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		done <- err
	}()
	for range 2 {
		time.Sleep(time.Second)
		for _, c := range m.customers() {
			if err := c.PingBoth(); err != nil {
				t.Error(c.Name, err)
			}
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	seen, err := m.tshark(all, "-T", "fields", "-e", "eth.addr")
	if err != nil {
		t.Fatal(err)
	}
	mac := func(ns *lab.NS) string {
		var links []struct{ Address string }
		if err := ns.JSON(&links, "ip", "-j", "link", "show", "eth0"); err != nil {
			t.Fatal(err)
		}
		return links[0].Address
	}
	for _, ln := range m.Acme.Lines {
		if !strings.Contains(seen, mac(ln.Router.NS)) {
			t.Errorf("nothing of acme's line in VLAN %d", ln.VLAN)
		}
	}
	if n := strings.Count(seen, mac(m.Beta.Lines[0].Router.NS)); n > 0 {
		t.Errorf("%d of beta's packets in acme's capture", n)
	}
}

func (m *monitored) testCaptureRefused(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"vbr-acme", "--filter", "tcp prt 179"}, "instead of what is at character 5"},
		{[]string{"vbr-acme", "--device", "eth1.200"}, "legal: one of router vbr-acme's devices: eth1.100, eth1.101, vx5001"},
		{[]string{"vbr-acme", "--device", "eth1"}, "legal: one of router vbr-acme's devices"},
		{[]string{"vbr-nono"}, "no router vbr-nono"},
	} {
		out, err := m.Vbrctl(binary(t), append([]string{"capture", "-w", filepath.Join(m.Lab.Dir, "no.pcap"), "--duration", "1s"}, tt.args...)...)
		if err == nil || !strings.Contains(out+err.Error(), tt.want) {
			t.Errorf("%q: %v\n%s", tt.args, err, out)
		}
	}
	if _, err := os.Stat(filepath.Join(m.Lab.Dir, "no.pcap")); err == nil {
		t.Error("a refused capture has made a file")
	}
}

// testBMP: both customers are told apart by distinguisher and name, their routes are there, and go; the collectors that do not read or are not there
// slow nobody.
func (m *monitored) testBMP(t *testing.T) {
	m.eventually(20*time.Second, "Peer Up of all six sessions, and both customers' prefixes", func() error {
		out, err := m.tshark(m.packets, "-d", "tcp.port==11019,bmp", "-O", "bmp,bgp")
		if err != nil {
			return err
		}
		for want, least := range map[string]int{
			"Peer Up Notification (3)": 6, "Type: RD Instance Peer (1)": 6, "Initiation Message (4)": 1,
			"Peer Distinguisher: 0:" + tables["acme"]: 3 * 4, "Peer Distinguisher: 0:" + tables["beta"]: 3 * 2, "172.16.1.0/24": 3, "172.16.2.0/24": 3, "2001:db8:1::/64": 3,
		} {
			if n := strings.Count(out, want); n < least {
				return fmt.Errorf("%q is there %d times, want %d:\n%s", want, n, least, out)
			}
		}
		raw, err := os.ReadFile(m.packets)
		for name, least := range map[string]int{"vbr-acme": 4, "vbr-beta": 2} { // tshark 4.0 does not decode information in Peer Up
			if n := bytes.Count(raw, []byte(name)); err != nil || n < least {
				return fmt.Errorf("%s is there %d times, want %d: %w", name, n, least, err)
			}
		}
		return nil
	})
	r := m.Beta.Lines[0].Router // acme has another one, which would go on
	began := time.Now()
	if err := r.Withdraw(topo.IDCPrefix4B); err != nil {
		t.Fatal(err)
	}
	m.eventually(10*time.Second, "the withdrawal", func() error {
		out, err := m.tshark(m.packets, "-d", "tcp.port==11019,bmp", "-Y", "bgp.withdrawn_prefix == 172.16.2.0", "-T", "fields", "-e", "bmp.peer.distinguisher", "-e", "frame.time_epoch")
		if err == nil && strings.TrimSpace(out) == "" {
			err = fmt.Errorf("none")
		}
		return err
	})
	t.Logf("withdrawal at the collector, decoded, %v after", time.Since(began).Round(time.Millisecond))
	if err := r.Announce(topo.IDCPrefix4B); err != nil {
		t.Fatal(err)
	}
	if err := m.Sessions(); err != nil {
		t.Error(err)
	}
	if out, err := m.Vbrctl(binary(t), "show", "host"); err != nil || !strings.Contains(out, "BMP collector 192.0.2.61:11019: connect: ") || strings.Contains(out, collectorIP) {
		t.Errorf("%v\n%s", err, out)
	}
	if n := strings.Count(m.vbrd.Log(), "BMP collector is not connected"); n != 1 || !strings.Contains(m.vbrd.Log(), "collector=192.0.2.61:11019") {
		t.Errorf("%d lines of the log are about a collector that is not there", n)
	}
}

// testMRT: bgpdump reads what both customers announce, in files that none but their owner can read, at most three of a router.
func (m *monitored) testMRT(t *testing.T) {
	var files []string
	m.eventually(20*time.Second, "three files of each router", func() error {
		files, _ = filepath.Glob(filepath.Join(m.dumps, "*.mrt"))
		if len(files) != 6 {
			return fmt.Errorf("%q", files)
		}
		return nil
	})
	first := files
	m.eventually(20*time.Second, "others in the place of the oldest", func() error {
		files, _ = filepath.Glob(filepath.Join(m.dumps, "*.mrt"))
		if len(files) != 6 || slices.Contains(files, first[0]) || slices.Contains(files, first[3]) { // for a moment the newest are beside the oldest
			return fmt.Errorf("%q, before %q", files, first)
		}
		return nil
	})
	info, err := os.Stat(m.dumps)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Error(info, err)
	}
	slices.Reverse(files) // the newest of beta is the first
	for _, c := range m.customers() {
		newest := files[slices.IndexFunc(files, func(f string) bool { return strings.Contains(f, "vbr-"+c.Name+".") })]
		if info, err := os.Stat(newest); err != nil || info.Mode().Perm() != 0o600 {
			t.Error(newest, info, err)
		}
		out, err := m.collector.Run("bgpdump", "-m", newest)
		if err != nil {
			t.Fatal(err, out)
		}
		for _, p := range []string{topo.IDCPrefix4, topo.IDCPrefix6, topo.IDCPrefix4B, topo.IDCPrefix6B} {
			for _, ln := range c.Lines {
				peer := ln.Peer4
				if strings.Contains(p, ":") {
					peer = ln.Peer6
				}
				if want := fmt.Sprintf("|B|%s|%d|%s|%d|IGP|%s|", peer, c.ASN, p, c.ASN, peer); !strings.Contains(out, want) {
					t.Errorf("%s: no %s:\n%s", newest, want, out)
				}
			}
		}
	}
}
