package bfd

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
)

const (
	us4, them4 = "10.0.0.1", "10.0.0.2"
	us6, them6 = "fd00::1", "fd00::2"
)

// node is an Engine that runs, and what it said.
type node struct {
	*Engine
	stop context.CancelFunc
	done chan struct{}

	mu      sync.Mutex
	changes []Change
	at      []time.Time // when it said so
}

// startNode starts an Engine here.
func startNode(t *testing.T) *node {
	t.Helper()
	return startNodeBy(t, func(run func() error) error { return run() })
}

// startNodeBy starts an Engine whose sockets are where by runs it, as NS.Do does.
func startNodeBy(t *testing.T, by func(run func() error) error) *node {
	t.Helper()
	n := &node{done: make(chan struct{})}
	n.Engine = New(Config{Log: slog.New(slog.DiscardHandler), State: n.note})
	var ctx context.Context
	ctx, n.stop = context.WithCancel(context.Background())
	go func() {
		defer close(n.done)
		if err := by(func() error { return n.Run(ctx) }); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	t.Cleanup(n.end)
	return n
}

func (n *node) end() {
	n.stop()
	<-n.done
}

func (n *node) note(c Change) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.changes, n.at = append(n.changes, c), append(n.at, time.Now())
}

// mark is how much was said so far.
func (n *node) mark() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.changes)
}

// since is what was said after a mark.
func (n *node) since(mark int) []Change {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.changes[mark:])
}

// wait waits until a peer's session has become s since a mark, and returns the change and when it was said.
func (n *node) wait(t *testing.T, mark int, peer string, s State) (c Change, at time.Time) {
	t.Helper()
	lab.Eventually(t, 15*time.Second, peer+" "+s.String(), func() error {
		n.mu.Lock()
		defer n.mu.Unlock()
		for i := mark; i < len(n.changes); i++ {
			if n.changes[i].State == s && n.changes[i].Peer.String() == peer {
				c, at = n.changes[i], n.at[i]
				return nil
			}
		}
		return fmt.Errorf("changes %+v, status %+v, stats %+v", n.changes[mark:], n.Status(), n.Stats())
	})
	return c, at
}

func (n *node) status(t *testing.T, peer string) Status {
	t.Helper()
	for _, s := range n.Status() {
		if s.Peer.String() == peer {
			return s
		}
	}
	t.Fatalf("no session with %s", peer)
	return Status{}
}

func (n *node) set(t *testing.T, s ...Session) {
	t.Helper()
	if err := n.Set(s); err != nil {
		t.Fatal(err)
	}
}

func with(us, them, device string, interval time.Duration) Session {
	return Session{
		Local: netip.MustParseAddr(us), Peer: netip.MustParseAddr(them), Device: device,
		MinTx: interval, MinRx: interval, DetectMult: 3,
	}
}

func ip(t *testing.T, lines ...string) {
	t.Helper()
	for _, l := range lines {
		if out, err := exec.Command("ip", strings.Fields(l)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: %s", l, err, out)
		}
	}
}

// cable is a namespace at the other end of a device here, both with their addresses.
func cable(t *testing.T, l *lab.Lab, name, device string) *lab.NS {
	t.Helper()
	n := l.Namespace(name)
	ip(t, fmt.Sprintf("link add %s type veth peer name eth0 netns %s", device, name))
	t.Cleanup(func() { _ = exec.Command("ip", "link", "del", device).Run() })
	ip(t, "link set "+device+" up", "addr add "+us4+"/30 dev "+device, "addr add "+us6+"/126 dev "+device+" nodad")
	n.IP("link set eth0 up", "addr add "+them4+"/30 dev eth0", "addr add "+them6+"/126 dev eth0 nodad")
	return n
}

// lastPacket is when the last packet from a host was seen.
func lastPacket(t *testing.T, packets []string, host string) time.Time {
	t.Helper()
	for i := len(packets) - 1; i >= 0; i-- {
		var sec, usec int64
		if _, text, _ := strings.Cut(packets[i], " IP"); strings.HasPrefix(strings.TrimLeft(text, "6 "), host+".") {
			if _, err := fmt.Sscanf(packets[i], "%d.%06d", &sec, &usec); err != nil {
				t.Fatal(err)
			}
			return time.Unix(sec, usec*1000)
		}
	}
	t.Fatalf("no packet from %s in %q", host, packets)
	return time.Time{}
}
