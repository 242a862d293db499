package e2e

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
)

const (
	fullFor = 12 * time.Second // longer than the hold time, 9 s, and BFD's 0.9 s
	// fullRate is what is offered, in packets of fullLength a second: 4 Mbit/s, twice the limit.
	fullRate, fullLength = 1000, 500
)

// TestBFDFullLine: a customer who offers twice what his line may carry, both ways, keeps his BGP session and BFD.
func TestBFDFullLine(t *testing.T) {
	c := newTwin(t)
	line := strings.Replace(c.line("a", "eth1", 0, ""), "bgp_peers:", "bandwidth: 2\nmin_tx_interval: 300\nmin_rx_interval: 300\nbgp_peers:", 1)
	c.File("resources.d/all.yaml", twinVPC+strings.Replace(line, "connect_retry: 1}", "connect_retry: 1, enable_bfd: true}", 1))
	if err := c.frr.Configure("bfd", "profile edge", "detect-multiplier 3", "receive-interval 300", "transmit-interval 300", "exit", "exit",
		"router bgp 65001", "neighbor 10.0.0.1 bfd", "neighbor 10.0.0.1 bfd profile edge"); err != nil {
		t.Fatal(err)
	}
	c.start()
	lab.Eventually(t, 60*time.Second, "pings from the VPC", func() error { return pings(c.vm, "", "", idcHost4) })
	lab.Eventually(t, 20*time.Second, "BFD up", c.watched)
	was := c.downs(t)
	stop := c.fill()
	time.Sleep(fullFor)
	stop()
	if now := c.downs(t); now != was {
		t.Errorf("sessions went down: %+v, before %+v", now, was)
	}
	if err := c.watched(); err != nil {
		t.Error(err)
	}
	control, data := c.bands(t)
	t.Logf("%d packets of BGP, BFD and ARP went first, %d of them dropped; %d others went, %d dropped", control.Packets, control.Drops, data.Packets, data.Drops)
	if data.Drops < fullRate*int(fullFor.Seconds())/4 || control.Drops > 0 || control.Packets < 2*int(fullFor/(300*time.Millisecond)) {
		t.Errorf("control %+v, data %+v", control, data)
	}
}

// fill offers twice the limit to the line, both ways, until stopped.
func (c *twin) fill() (stop func()) {
	a, b := flood(c.Lab, c.vm, c.idc, idcHost4), flood(c.Lab, c.idc, c.vm, "10.100.1.10")
	return func() { a(); b() }
}

// flood sends UDP from one namespace to an address of another until stopped; what arrives is not read.
func flood(l *lab.Lab, from, to *lab.NS, address string) (stop func()) {
	l.Helper()
	var in *net.UDPConn
	var out net.Conn
	if err := to.Do(func() (err error) {
		in, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(address)})
		return err
	}); err != nil {
		l.Fatalf("%v", err)
	}
	if err := from.Do(func() (err error) { out, err = net.Dial("udp4", in.LocalAddr().String()); return err }); err != nil {
		l.Fatalf("%v", err)
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		begin, sent := time.Now(), 0
		for packet := make([]byte, fullLength-28); ; {
			select {
			case <-done:
				return
			case <-time.After(10 * time.Millisecond):
			}
			for due := int(time.Since(begin).Seconds() * fullRate); sent < due; sent++ {
				_, _ = out.Write(packet)
			}
		}
	}()
	return func() {
		close(done)
		<-ended
		out.Close()
		in.Close()
	}
}

// watched is nil when BFD and BGP with the customer are up.
func (c *twin) watched() error {
	p, err := c.frr.BFD("10.0.0.1")
	if err == nil && p.Status != "up" {
		err = fmt.Errorf("%+v", p)
	}
	if err != nil {
		return err
	}
	return c.frr.Established("ipv4 unicast", "10.0.0.1")
}

// downs are how often the session came up, and BFD went down at either end.
type downs struct{ bgp, ours, theirs int }

func (c *twin) downs(t *testing.T) (d downs) {
	t.Helper()
	out, err := c.tryctl("events", "-r", "vbr-a")
	if err != nil {
		t.Fatal(out, err)
	}
	d.ours = strings.Count(out, "BFD_DOWN") + strings.Count(out, "bfd-down")
	var peers []struct {
		Down int `json:"session-down"`
	}
	if err := c.frr.VtyshJSON(&peers, "show bfd peers counters json"); err != nil || len(peers) != 1 {
		t.Fatal(peers, err)
	}
	d.theirs = peers[0].Down
	var list struct {
		Sessions []struct {
			Count int `json:"established_count"`
		}
	}
	c.ctl(t, &list, "show", "sessions", "-r", "vbr-a")
	for _, s := range list.Sessions {
		d.bgp += s.Count
	}
	return d
}

type qdiscJSON struct {
	Dev, Kind, Handle string
	Packets, Drops    int
}

// bands are what both directions' bands carried and dropped together.
func (c *twin) bands(t *testing.T) (control, data qdiscJSON) {
	t.Helper()
	var all []qdiscJSON
	if err := c.edge.JSON(&all, "tc", "-s", "-j", "qdisc", "show"); err != nil {
		t.Fatal(err)
	}
	for _, q := range all {
		switch q.Handle {
		case "8688:":
			control.Packets, control.Drops = control.Packets+q.Packets, control.Drops+q.Drops
		case "8689:":
			data.Packets, data.Drops = data.Packets+q.Packets, data.Drops+q.Drops
		}
	}
	return control, data
}
