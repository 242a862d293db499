package e2e

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/openvbr/openvbr/internal/lab"
)

// Services of the edge host: what is listened to on all addresses.
const (
	sshPort     = 22
	etcdPort    = 2379
	apiPort     = 7443
	metricsPort = 9342
	mgmtHost    = "172.16.1.200" // an address of the host's own that lies in every tenant's prefix
)

// reach is how far a connection gets.
func reach(ns *lab.NS, address string, port int) error {
	return ns.Do(func() error {
		c, err := net.DialTimeout("tcp", net.JoinHostPort(address, fmt.Sprint(port)), time.Second)
		if err == nil {
			_ = c.Close()
		}
		return err
	})
}

// testHost: what the edge host serves to all its addresses is not served to tenants, by whatever address, and an address of the host's that a tenant
// has too is the tenant's.
func (m *matrix) testHost(t *testing.T) {
	m.edge.IP("addr add " + mgmtHost + "/32 dev lo")
	for _, port := range []int{sshPort, etcdPort} {
		m.listen(m.edge, port)
	}
	udp := m.mailbox(m.edge, "udp", ":5353")
	raw := m.mailbox(m.edge, "ip4:89", "0.0.0.0") // OSPF's
	if err := send(m.underlay(), "", edgeVTEP, 5353, 1, 0, "control"); err != nil {
		t.Error(err)
	}
	if err := m.sendRaw(m.underlay(), edgeVTEP, "control"); err != nil {
		t.Error(err)
	}
	for _, port := range []int{sshPort, etcdPort, apiPort, metricsPort} {
		if err := reach(m.underlay(), edgeVTEP, port); err != nil {
			t.Errorf("from the underlay: %v", err)
		}
	}
	lab.Eventually(t, 10*time.Second, "the underlay's datagrams", func() error {
		if udp.has("control") == 0 || raw.hasIn("control") == 0 {
			return errors.New("have not come")
		}
		return nil
	})
	m.fromAll(func(ns *lab.NS) { m.hostFrom(t, ns) })
	time.Sleep(200 * time.Millisecond)
	for name, b := range map[string]*mailbox{"UDP": udp, "raw": raw} {
		for text := range b.close() {
			if !strings.HasSuffix(text, "control") {
				t.Errorf("%s socket of the host has got %q", name, text)
			}
		}
	}
	for _, n := range m.tenants[:4] {
		n.line.IP("addr add " + mgmtHost + "/32 dev lo")
		box := m.mailbox(n.line, "udp", fmt.Sprintf("%s:%d", mgmtHost, mailPort))
		lab.Eventually(t, 10*time.Second, n.name+"'s own "+mgmtHost, func() error {
			err := send(n.vm, "", mgmtHost, mailPort, 1, 0, n.name)
			if err == nil && box.has(n.name) == 0 {
				err = errors.New("its packets do not arrive")
			}
			return err
		})
		box.close()
	}
}

// hasIn says how many packets have a text at their end.
func (b *mailbox) hasIn(text string) (count int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for got, n := range b.got {
		if strings.HasSuffix(got, text) {
			count += n
		}
	}
	return count
}

// hostFrom tries all services of the edge host from a tenant's namespace.
func (m *matrix) hostFrom(t *testing.T, ns *lab.NS) {
	for _, address := range []string{"10.0.0.1", edgeVTEP, mgmtHost, "fd00::1"} {
		for _, port := range []int{sshPort, etcdPort, apiPort, metricsPort} {
			if err := reach(ns, address, port); err == nil {
				t.Errorf("%s reaches port %d of the edge host by %s", ns.Name, port, address)
			}
		}
		_ = send(ns, "", address, 5353, 1, 0, ns.Name+" by "+address)
		if !strings.Contains(address, ":") {
			_ = m.sendRaw(ns, address, ns.Name+" by "+address)
		}
	}
}

// listen accepts connections on all addresses of a namespace until the end.
func (m *matrix) listen(ns *lab.NS, port int) {
	err := ns.Do(func() error {
		l, err := net.Listen("tcp", fmt.Sprint(":", port))
		if err != nil {
			return err
		}
		m.Cleanup(func() { _ = l.Close() })
		go func() {
			for c, err := l.Accept(); err == nil; c, err = l.Accept() {
				_ = c.Close()
			}
		}()
		return nil
	})
	if err != nil {
		m.t.Fatal(err)
	}
}

// sendRaw sends an IPv4 packet of OSPF's protocol.
func (m *matrix) sendRaw(ns *lab.NS, to, text string) error {
	return ns.Do(func() error {
		c, err := net.Dial("ip4:89", to)
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write([]byte(text))
		return err
	})
}

// testUnderlay: neither the hosts' addresses on the underlay nor others there answer a tenant, who has routes to them by the edge host.
func (m *matrix) testUnderlay(t *testing.T) {
	m.listen(m.underlay(), 1179)
	if err := reach(m.edge, reflectorIP, 1179); err != nil {
		t.Errorf("from the edge host: %v", err)
	}
	m.fromAll(func(ns *lab.NS) {
		for _, address := range []string{edgeVTEP, gwVTEP, reflectorIP} {
			if stats, err := ns.Ping(address, lab.PingOptions{Count: 1, Timeout: 500 * time.Millisecond}); err == nil {
				t.Errorf("%s pings %s: %v", ns.Name, address, stats)
			}
		}
		err := reach(ns, reflectorIP, 1179)
		if !errors.Is(err, unix.EHOSTUNREACH) && !errors.Is(err, unix.ENETUNREACH) && !errors.Is(err, unix.ETIMEDOUT) && !isTimeout(err) {
			t.Errorf("%s to the reflector: %v", ns.Name, err)
		}
	})
}

// fromAll runs f for both ends of all tenants, at the same time.
func (m *matrix) fromAll(f func(ns *lab.NS)) {
	var all sync.WaitGroup
	for _, n := range m.tenants {
		for _, ns := range []*lab.NS{n.line, n.vm} {
			all.Go(func() { f(ns) })
		}
	}
	all.Wait()
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}
