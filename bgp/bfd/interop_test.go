package bfd

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
)

// late is how much later than computed a failure may be reported on a machine that does much else.
const late = 100 * time.Millisecond

func frrConf(interval int) string {
	text := "bfd\n"
	for _, peer := range []string{us4 + " interface eth0", us6 + " local-address " + them6 + " interface eth0"} {
		text += fmt.Sprintf(" peer %s\n  detect-multiplier 3\n  receive-interval %d\n  transmit-interval %d\n  no shutdown\n  exit\n", peer, interval, interval)
	}
	return text
}

func TestFRR(t *testing.T) {
	l := lab.New(t)
	peer := cable(t, l, "bfdfrr", "v0")
	f := peer.FRR(frrConf(100), "bfdd")
	n := startNode(t)
	n.set(t, with(us4, them4, "v0", 100*ms), with(us6, them6, "v0", 100*ms))
	n.wait(t, 0, them4, Up)
	n.wait(t, 0, them6, Up)
	mark := n.mark()
	negotiated(t, n, 100*ms, 300*ms)

	// FRR's timers, then ours: by Poll Sequence, without a flap.
	if err := f.Load(frrConf(300)); err != nil {
		t.Fatal(err)
	}
	negotiated(t, n, 300*ms, 900*ms)
	n.set(t, with(us4, them4, "v0", 500*ms), with(us6, them6, "v0", 500*ms))
	negotiated(t, n, 500*ms, 1500*ms)
	for _, us := range []string{us4, us6} {
		lab.Eventually(t, 5*time.Second, "FRR knows", func() error {
			if p, err := f.BFD(us); err != nil || p.RemoteReceive != 500 || p.RemoteTransmit != 500 || p.Status != "up" {
				return fmt.Errorf("%+v, %w", p, err)
			}
			return nil
		})
	}
	if err := f.Load(frrConf(100)); err != nil {
		t.Fatal(err)
	}
	n.set(t, with(us4, them4, "v0", 50*ms), with(us6, them6, "v0", 50*ms))
	negotiated(t, n, 100*ms, 300*ms)
	if c := n.since(mark); len(c) != 0 {
		t.Errorf("flapped: %+v", c)
	}

	// Switched off at FRR's end: not a failure. And on again.
	for _, p := range []string{us4 + " interface eth0", us6 + " local-address " + them6 + " interface eth0"} {
		if _, err := f.Ask("bfdd", "configure terminal", "bfd", "peer "+p, "shutdown"); err != nil {
			t.Fatal(err)
		}
	}
	for _, them := range []string{them4, them6} {
		if c, _ := n.wait(t, mark, them, Down); !c.AdminDown || c.RemoteState != AdminDown || c.Diag != DiagNeighborDown {
			t.Errorf("%s switched off: %+v", them, c)
		}
	}
	mark = n.mark()
	if err := f.Load(frrConf(100)); err != nil {
		t.Fatal(err)
	}
	n.wait(t, mark, them4, Up)
	n.wait(t, mark, them6, Up)

	killed(t, n, peer, f.Procs["bfdd"], 300*ms)

	// It comes back with other discriminators.
	mark = n.mark()
	f.StartDaemon("bfdd")
	if err := f.Load(frrConf(100)); err != nil {
		t.Fatal(err)
	}
	n.wait(t, mark, them4, Up)
	n.wait(t, mark, them6, Up)

	// We leave: FRR hears AdminDown.
	n.end()
	lab.Eventually(t, 5*time.Second, "FRR hears the farewell", func() error {
		if p, err := f.BFD(us4); err != nil || p.RemoteDiagnostic != "administratively down" {
			return fmt.Errorf("%+v, %w", p, err)
		}
		return nil
	})
	if s := n.Stats(); s.SendErrors != 0 {
		t.Errorf("%+v", s)
	}
}

// FRR with "ttl-security" has BFD of BGP's multihop, on the link too: it is answered by the port that it uses, and by the other one when FRR changes its mind.
func TestFRRMultihop(t *testing.T) {
	l := lab.New(t)
	peer := cable(t, l, "bfdfrrm", "v0")
	var conf [2]string
	for i, how := range []string{" multihop local-address %s", " local-address %s interface eth0"} {
		conf[i] = "bfd\n"
		for us, them := range map[string]string{us4: them4, us6: them6} {
			conf[i] += " peer " + us + fmt.Sprintf(how, them) + "\n  detect-multiplier 3\n  receive-interval 100\n  transmit-interval 100\n  no shutdown\n  exit\n"
		}
	}
	f := peer.FRR(conf[0], "bfdd")
	n := startNode(t)
	n.set(t, with(us4, them4, "v0", 100*ms), with(us6, them6, "v0", 100*ms))
	n.wait(t, 0, them4, Up)
	n.wait(t, 0, them6, Up)
	negotiated(t, n, 100*ms, 300*ms)
	capture := peer.Capture("eth0", "udp port 3784 or udp port 4784")
	time.Sleep(500 * time.Millisecond)
	packets := capture.Stop()
	if len(packets) < 10 {
		t.Errorf("%d packets captured", len(packets))
	}
	for _, p := range packets {
		if !strings.Contains(p, ".4784") {
			t.Errorf("not a packet of multihop BFD: %s", p)
		}
	}
	n.end() // says AdminDown, and FRR waits until it hears of us again
	n = startNode(t)
	n.set(t, with(us4, them4, "v0", 100*ms), with(us6, them6, "v0", 100*ms))
	n.wait(t, 0, them4, Up)
	n.wait(t, 0, them6, Up)
	negotiated(t, n, 100*ms, 300*ms)
	if err := f.Load(conf[1]); err != nil {
		t.Fatal(err)
	}
	mark := n.mark()
	if _, err := f.Ask("bfdd", "configure terminal", "bfd", "no peer "+us4+" multihop local-address "+them4, "no peer "+us6+" multihop local-address "+them6); err != nil {
		t.Fatal(err)
	}
	n.wait(t, mark, them4, Up)
	n.wait(t, mark, them6, Up)
	negotiated(t, n, 100*ms, 300*ms)
}

// negotiated waits until both sessions are up with these intervals.
func negotiated(t *testing.T, n *node, every, detect time.Duration) {
	t.Helper()
	lab.Eventually(t, 10*time.Second, "negotiated", func() error {
		for _, s := range n.Status() {
			if s.State != Up || s.TxInterval != every || s.DetectTime != detect || s.Polling {
				return fmt.Errorf("%+v, want %v, %v", s, every, detect)
			}
		}
		return nil
	})
}

// killed kills the neighbour and measures, from the last packet that tcpdump saw, when we said so.
func killed(t *testing.T, n *node, peer *lab.NS, p *lab.Proc, detect time.Duration) {
	t.Helper()
	negotiated(t, n, detect/3, detect)
	capture := peer.Capture("eth0", "udp port 3784")
	time.Sleep(500 * time.Millisecond) // so that it holds packets
	mark := n.mark()
	p.Kill()
	for _, them := range []string{them4, them6} {
		c, at := n.wait(t, mark, them, Down)
		took := at.Sub(lastPacket(t, capture.Packets(), them))
		t.Logf("%s: down %v after its last packet (detection time %v)", them, took, detect)
		if c.Diag != DiagTimeExpired || c.AdminDown || took < detect-10*ms || took > detect+late {
			t.Errorf("%s killed: after %v: %+v", them, took, c)
		}
	}
	capture.Stop()
}

func birdConf(interval int) string {
	return fmt.Sprintf(`router id 10.0.0.2;
protocol device { scan time 1; }
protocol bfd bfd1 {
 interface "eth0" { min rx interval %[1]d ms; min tx interval %[1]d ms; idle tx interval 1 s; multiplier 3; };
 neighbor %[2]s dev "eth0" local %[3]s;
 neighbor %[4]s dev "eth0" local %[5]s;
}
`, interval, us4, them4, us6, them6)
}

func TestBIRD(t *testing.T) {
	l := lab.New(t)
	peer := cable(t, l, "bfdbird", "v0")
	b := peer.BIRD(birdConf(100))
	n := startNode(t)
	n.set(t, with(us4, them4, "v0", 100*ms), with(us6, them6, "v0", 100*ms))
	n.wait(t, 0, them4, Up)
	n.wait(t, 0, them6, Up)
	mark := n.mark()
	negotiated(t, n, 100*ms, 300*ms)

	l.File(peer.Name+"-bird.conf", birdConf(300))
	if out, err := b.Birdc("configure"); err != nil {
		t.Fatal(out, err)
	}
	negotiated(t, n, 300*ms, 900*ms)
	n.set(t, with(us4, them4, "v0", 500*ms), with(us6, them6, "v0", 500*ms))
	negotiated(t, n, 500*ms, 1500*ms)
	n.set(t, with(us4, them4, "v0", 50*ms), with(us6, them6, "v0", 50*ms))
	negotiated(t, n, 300*ms, 900*ms)
	if c := n.since(mark); len(c) != 0 {
		t.Errorf("flapped: %+v", c)
	}
	killed(t, n, peer, b.Proc, 900*ms)
}
