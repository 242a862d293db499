package lab

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// StreamOptions may all be left out.
type StreamOptions struct {
	Flows    int           // ports sent from, so that ECMP spreads them; default 8
	Interval time.Duration // between two packets of a flow; default MinInterval
	Timeout  time.Duration // for the last packet; default 1 s
}

// Stream is numbered UDP packets one way, in several flows at once. Both ends are in this process: what was lost, and from when to when, is
// known for the one direction by itself.
type Stream struct {
	name  string
	o     StreamOptions
	in    *net.UDPConn
	out   []*net.UDPConn
	stop  context.CancelFunc
	sent  chan struct{} // closed when no more is sent
	group sync.WaitGroup
	once  sync.Once

	mu    sync.Mutex
	flows []flow
	stall time.Duration
}

// flow is what one port sent: when each packet left, and whether it arrived.
type flow struct {
	left    []time.Time
	arrived []bool
}

// Stream starts sending from an address of n to one of another namespace, until Stop.
func (n *NS) Stream(from string, to *NS, address string, o StreamOptions) *Stream {
	n.lab.Helper()
	s, err := n.newStream(from, to, address, o)
	if err != nil {
		n.lab.Fatalf("stream %s to %s: %v", n.Name, to.Name, err)
	}
	n.lab.Cleanup(func() { s.Stop() })
	return s
}

func (n *NS) newStream(from string, to *NS, address string, o StreamOptions) (*Stream, error) {
	if o.Flows == 0 {
		o.Flows = 8
	}
	if o.Timeout == 0 {
		o.Timeout = time.Second
	}
	o.Interval = max(o.Interval, MinInterval)
	s := &Stream{name: n.Name + " -> " + to.Name, o: o, sent: make(chan struct{}), flows: make([]flow, o.Flows)}
	source, err := netip.ParseAddr(from)
	if err != nil {
		return nil, err
	}
	target, err := netip.ParseAddr(address)
	if err != nil {
		return nil, err
	}
	err = to.Do(func() (err error) {
		s.in, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(target, 0)))
		return err
	})
	if err == nil {
		err = n.Do(func() error { return s.dial(source) })
	}
	if err != nil {
		s.close()
		return nil, err
	}
	ctx, stop := context.WithCancel(n.lab.Context())
	s.stop = stop
	s.group.Go(func() { s.send(ctx) })
	s.group.Go(s.receive)
	return s, nil
}

// dial opens a socket for each flow, in the namespace it is called in.
func (s *Stream) dial(source netip.Addr) error {
	for range s.flows {
		c, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(source, 0)), s.in.LocalAddr().(*net.UDPAddr))
		if err != nil {
			return err
		}
		s.out = append(s.out, c)
	}
	return nil
}

// send keeps the interval, and like Pinger makes nothing up.
func (s *Stream) send(ctx context.Context) {
	defer close(s.sent)
	due := time.Now()
	for {
		for i, c := range s.out {
			_, _ = c.Write(s.number(i)) // what cannot be sent is lost, and counts as that
		}
		due = due.Add(s.o.Interval)
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(due)):
		}
		if late := time.Since(due); late > s.o.Interval {
			due = due.Add(late)
			s.mu.Lock()
			s.stall = max(s.stall, late)
			s.mu.Unlock()
		}
	}
}

// number makes flow i's next packet: flow and sequence number.
func (s *Stream) number(i int) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := &s.flows[i]
	packet := binary.BigEndian.AppendUint32(nil, uint32(i))
	packet = binary.BigEndian.AppendUint32(packet, uint32(len(f.left)))
	f.left, f.arrived = append(f.left, time.Now()), append(f.arrived, false)
	return packet
}

func (s *Stream) receive() {
	var b [64]byte
	for {
		n, err := s.in.Read(b[:])
		if err != nil {
			return // closed by Stop
		}
		if n == 8 {
			s.arrive(binary.BigEndian.Uint32(b[:]), binary.BigEndian.Uint32(b[4:]))
		}
	}
}

func (s *Stream) arrive(i, seq uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if int(i) < len(s.flows) && int(seq) < len(s.flows[i].arrived) {
		s.flows[i].arrived[seq] = true
	}
}

// Loss is what a Stream lost.
type Loss struct {
	Name           string // "host-a -> lan-acme"
	Sent, Lost     int
	Outage         time.Duration // of the flow that was without arrival longest: from the first packet lost until one left that arrived
	Windows        []LossWindow  // of all flows
	LongestStall   time.Duration // that the machine sent late: its fault, not the network's
	FlowsWithALoss int
}

// LossWindow is packets lost in a row.
type LossWindow struct {
	Flow, Lost int
	From, To   time.Time // when the first left, and the first that arrived again; zero: none did
}

func (l Loss) String() string {
	return fmt.Sprintf("%s: %d of %d packets lost, outage %v", l.Name, l.Lost, l.Sent, l.Outage.Round(time.Millisecond))
}

// Loss counts what was sent until now; what is under way counts as lost.
func (s *Stream) Loss() Loss {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := Loss{Name: s.name, LongestStall: s.stall}
	for i := range s.flows {
		windows := s.flows[i].windows(i)
		for _, w := range windows {
			l.Lost += w.Lost
			end := w.To
			if end.IsZero() {
				end = s.flows[i].left[len(s.flows[i].left)-1]
			}
			l.Outage = max(l.Outage, end.Sub(w.From))
		}
		if len(windows) > 0 {
			l.FlowsWithALoss++
		}
		l.Sent += len(s.flows[i].left)
		l.Windows = append(l.Windows, windows...)
	}
	return l
}

func (f *flow) windows(number int) (all []LossWindow) {
	open := false
	for i, ok := range f.arrived {
		switch {
		case !ok && !open:
			all, open = append(all, LossWindow{Flow: number, Lost: 1, From: f.left[i]}), true
		case !ok:
			all[len(all)-1].Lost++
		case open:
			all[len(all)-1].To, open = f.left[i], false
		}
	}
	return all
}

// Stop ends the sending, waits for late packets and returns the final count.
func (s *Stream) Stop() Loss {
	s.once.Do(func() {
		s.stop()
		<-s.sent
		for end := time.Now().Add(s.o.Timeout); s.underWay() && time.Now().Before(end); {
			time.Sleep(MinInterval / 2)
		}
		s.close()
		s.group.Wait()
	})
	return s.Loss()
}

// underWay tells whether a flow's last packet has not arrived.
func (s *Stream) underWay() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.flows {
		if n := len(f.arrived); n > 0 && !f.arrived[n-1] {
			return true
		}
	}
	return false
}

func (s *Stream) close() {
	for _, c := range append(s.out, s.in) {
		if c != nil {
			_ = c.Close()
		}
	}
}

// Duplex is a Stream each way between two addresses, at once.
type Duplex struct{ There, Back *Stream }

// Duplex starts both.
func (n *NS) Duplex(address string, to *NS, toAddress string, o StreamOptions) *Duplex {
	n.lab.Helper()
	return &Duplex{n.Stream(address, to, toAddress, o), to.Stream(toAddress, n, address, o)}
}

// Stop ends both.
func (d *Duplex) Stop() DuplexLoss { return DuplexLoss{d.There.Stop(), d.Back.Stop()} }

// DuplexLoss is what was lost in each direction.
type DuplexLoss struct{ There, Back Loss }

func (l DuplexLoss) String() string {
	return strings.Join([]string{l.There.String(), l.Back.String()}, "; ")
}

// Lost is of both directions.
func (l DuplexLoss) Lost() int { return l.There.Lost + l.Back.Lost }

// Outage is the longer one.
func (l DuplexLoss) Outage() time.Duration { return max(l.There.Outage, l.Back.Outage) }

// LongestStall is the longer one.
func (l DuplexLoss) LongestStall() time.Duration {
	return max(l.There.LongestStall, l.Back.LongestStall)
}
