package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// MinInterval is the finest interval a Pinger keeps: user-mode-linux ticks at
// 100 Hz.
const MinInterval = 20 * time.Millisecond

// PingOptions may all be left out.
type PingOptions struct {
	Source   string        // address to send from; default: the kernel's choice
	Interval time.Duration // default MinInterval
	Count    int           // of Ping; default 3
	Timeout  time.Duration // for the last reply; default 1 s
	Size     int           // bytes of data, default 16
}

// PingStats are counted by sequence number.
type PingStats struct {
	Sent, Received, Duplicates int
	LongestGap                 time.Duration // between replies
	LongestStall               time.Duration // that a request was sent late: the machine's fault, not the network's
	Errors                     int           // sends refused (no route); those count as sent and lost
	LastError                  error
}

// Lost is what was sent and not answered.
func (s PingStats) Lost() int { return s.Sent - s.Received }

func (s PingStats) String() string {
	return fmt.Sprintf("sent %d, received %d, lost %d, longest gap %v, the machine's longest stall %v",
		s.Sent, s.Received, s.Lost(), s.LongestGap.Round(time.Millisecond), s.LongestStall.Round(time.Millisecond))
}

// Ping sends a few echo requests; the error says when not all were answered.
func (n *NS) Ping(dst string, o PingOptions) (PingStats, error) {
	if o.Count == 0 {
		o.Count = 3
	}
	p, err := n.newPinger(dst, o)
	if err != nil {
		return PingStats{}, err
	}
	p.start(n.lab.Context())
	<-p.sent
	stats := p.Stop()
	if stats.Lost() > 0 {
		err = fmt.Errorf("%s: ping %s: %v", n.Name, dst, stats)
		if stats.LastError != nil {
			err = fmt.Errorf("%w: %w", err, stats.LastError)
		}
	}
	return stats, err
}

// Pinger starts pinging until Stop.
func (n *NS) Pinger(dst string, o PingOptions) *Pinger {
	n.lab.Helper()
	o.Count = 0
	p, err := n.newPinger(dst, o)
	if err != nil {
		n.lab.Fatalf("%v", err)
	}
	p.start(n.lab.Context())
	n.lab.Cleanup(func() { p.Stop() })
	return p
}

// Pinger sends echo requests at an interval and counts the replies.
type Pinger struct {
	conn  *icmp.PacketConn
	dst   *net.IPAddr
	v6    bool
	id    int
	o     PingOptions
	stop  context.CancelFunc
	sent  chan struct{} // closed when no more is sent
	group sync.WaitGroup
	once  sync.Once

	mu      sync.Mutex
	stats   PingStats
	waiting map[int]bool // unanswered sequence numbers
	last    time.Time    // reply
}

func (n *NS) newPinger(dst string, o PingOptions) (*Pinger, error) {
	addr, err := netip.ParseAddr(dst)
	if err != nil {
		return nil, err
	}
	o.Interval = max(o.Interval, MinInterval)
	if o.Timeout == 0 {
		o.Timeout = time.Second
	}
	if o.Size == 0 {
		o.Size = 16
	}
	p := &Pinger{dst: &net.IPAddr{IP: addr.AsSlice(), Zone: addr.Zone()}, v6: addr.Is6(), o: o,
		sent: make(chan struct{}), waiting: map[int]bool{}}
	network := "ip4:icmp"
	if p.v6 {
		network = "ip6:ipv6-icmp"
	}
	err = n.Do(func() (err error) {
		if p.conn, err = icmp.ListenPacket(network, o.Source); err != nil {
			return err
		}
		return p.onlyReplies()
	})
	if err != nil {
		return nil, fmt.Errorf("%s: ping %s: %w", n.Name, dst, err)
	}
	p.id = int(n.lab.pings.Add(1) & 0xffff) // unique in the Lab is enough
	return p, nil
}

// onlyReplies keeps the requests of others out of the socket, and makes room for the replies that a busy machine reads late: those
// that found no room would count as lost on the way.
func (p *Pinger) onlyReplies() error {
	const room = 8 << 20
	var conn net.PacketConn
	var err error
	if p.v6 {
		f := ipv6.ICMPFilter{}
		f.SetAll(true)
		f.Accept(ipv6.ICMPTypeEchoReply)
		conn, err = p.conn.IPv6PacketConn().PacketConn, p.conn.IPv6PacketConn().SetICMPFilter(&f)
	} else {
		f := ipv4.ICMPFilter{}
		f.SetAll(true)
		f.Accept(ipv4.ICMPTypeEchoReply)
		conn, err = p.conn.IPv4PacketConn().PacketConn, p.conn.IPv4PacketConn().SetICMPFilter(&f)
	}
	if err != nil {
		return err
	}
	raw, err := conn.(*net.IPConn).SyscallConn()
	if err != nil {
		return err
	}
	e := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, room) })
	return errors.Join(e, err)
}

func (p *Pinger) start(ctx context.Context) {
	ctx, p.stop = context.WithCancel(ctx)
	p.last = time.Now()
	p.group.Go(func() { p.send(ctx) })
	p.group.Go(p.receive)
}

// send keeps the interval. What could not be sent while the machine stood still is not made up for: a burst would overrun
// queues on the way, and its loss would say nothing about the way.
func (p *Pinger) send(ctx context.Context) {
	defer close(p.sent)
	due := time.Now()
	for seq := 0; p.o.Count == 0 || seq < p.o.Count; seq++ {
		p.sendOne(seq)
		due = due.Add(p.o.Interval)
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(due)):
		}
		if late := time.Since(due); late > p.o.Interval {
			due = due.Add(late)
			p.stalled(late)
		}
	}
}

func (p *Pinger) stalled(late time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats.LongestStall = max(p.stats.LongestStall, late)
}

func (p *Pinger) sendOne(seq int) {
	m := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: p.id, Seq: seq & 0xffff, Data: make([]byte, p.o.Size)}}
	if p.v6 {
		m.Type = ipv6.ICMPTypeEchoRequest
	}
	b, err := m.Marshal(nil)
	p.mu.Lock()
	p.stats.Sent++
	p.waiting[seq&0xffff] = true
	p.mu.Unlock()
	if err == nil {
		_, err = p.conn.WriteTo(b, p.dst)
	}
	if err != nil {
		p.mu.Lock()
		p.stats.Errors++
		p.stats.LastError = err
		p.mu.Unlock()
	}
}

func (p *Pinger) receive() {
	buf := make([]byte, 64<<10)
	for {
		n, _, err := p.conn.ReadFrom(buf)
		if err != nil {
			return // closed by Stop
		}
		proto, reply := 1, icmp.Type(ipv4.ICMPTypeEchoReply)
		if p.v6 {
			proto, reply = 58, ipv6.ICMPTypeEchoReply
		}
		m, err := icmp.ParseMessage(proto, buf[:n])
		if err != nil || m.Type != reply {
			continue
		}
		if echo, ok := m.Body.(*icmp.Echo); ok && echo.ID == p.id {
			p.answered(echo.Seq)
		}
	}
}

func (p *Pinger) answered(seq int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.waiting[seq] {
		p.stats.Duplicates++
		return
	}
	delete(p.waiting, seq)
	p.stats.Received++
	p.gap(time.Now())
}

// gap notes the time since the last reply.
func (p *Pinger) gap(now time.Time) {
	p.stats.LongestGap = max(p.stats.LongestGap, now.Sub(p.last))
	p.last = now
}

// Stats are those so far; requests under way count as lost.
func (p *Pinger) Stats() PingStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats
}

// Stop ends the sending, waits for late replies and returns the final count.
func (p *Pinger) Stop() PingStats {
	p.once.Do(func() {
		p.stop()
		<-p.sent
		deadline := time.Now().Add(p.o.Timeout)
		for p.Stats().Lost() > p.Stats().Errors && time.Now().Before(deadline) {
			time.Sleep(MinInterval / 2)
		}
		_ = p.conn.Close()
		p.group.Wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.waiting) > 0 {
			p.gap(deadline.Add(-p.o.Timeout))
		}
	})
	return p.Stats()
}
