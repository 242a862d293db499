package kernel

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Prober sends packets out of one namespace and sees on which cable they leave.
type Prober struct {
	send, recv int
	device     int
	targets    []netip.Prefix
	sockaddrs  []unix.SockaddrInet4

	mu    sync.Mutex
	began time.Time
	first []time.Duration // when the first packet that left the right way was sent, 0: none yet
	left  int
}

const (
	probePort  = 9 // discard (RFC 863)
	probeEvery = time.Millisecond
	probeMagic = 0x56425250
	// probeLen: magic, index of the target, nanoseconds since the start.
	probeLen = 16
)

// NewProber makes a prober of packets from a namespace to the first address of each target, that watches for them on a device of
// another namespace.
func NewProber(from, to *Namespace, device int, targets []netip.Prefix) (*Prober, error) {
	p := &Prober{send: -1, recv: -1, device: device, targets: targets, first: make([]time.Duration, len(targets)), left: len(targets)}
	for _, t := range targets {
		p.sockaddrs = append(p.sockaddrs, unix.SockaddrInet4{Port: probePort, Addr: t.Addr().Next().As4()})
	}
	err := from.Do(func() (err error) {
		p.send, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		return err
	})
	if err == nil {
		err = to.Do(p.listen)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prober: %w", err), p.Close())
	}
	return p, nil
}

func (p *Prober) listen() (err error) {
	proto := int(binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, unix.ETH_P_IP)))
	if p.recv, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, proto); err != nil {
		return err
	}
	return errors.Join(
		unix.Bind(p.recv, &unix.SockaddrLinklayer{Protocol: uint16(proto), Ifindex: p.device}),
		unix.SetsockoptInt(p.recv, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20),
		unix.SetsockoptTimeval(p.recv, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 20000}))
}

// Close frees the sockets.
func (p *Prober) Close() error {
	var errs []error
	for _, fd := range []int{p.send, p.recv} {
		if fd >= 0 {
			errs = append(errs, unix.Close(fd))
		}
	}
	return errors.Join(errs...)
}

// Run sends one packet to every target that has not been seen on the device yet, each millisecond, until all have been. It calls event once
// the probing runs and returns, for each target, the time from event's return value until the first packet that left through the device was sent: the
// error is one round of probes.
func (p *Prober) Run(ctx context.Context, event func() time.Time) ([]time.Duration, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	p.began = time.Now()
	var wg sync.WaitGroup
	wg.Go(func() { p.receive(ctx, stop) })
	wg.Go(func() { p.probe(ctx) })
	time.Sleep(20 * probeEvery) // the probing is under way, over the wrong device
	at := event().Sub(p.began)
	wg.Wait()
	if left := p.open(); left > 0 {
		return nil, fmt.Errorf("%d of %d probes never left through the other device", left, len(p.targets))
	}
	out := make([]time.Duration, len(p.first))
	for i, f := range p.first {
		out[i] = f - at
	}
	return out, nil
}

// open is how many targets have not been seen on the device yet.
func (p *Prober) open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.left
}

func (p *Prober) probe(ctx context.Context) {
	var b [probeLen]byte
	binary.BigEndian.PutUint32(b[:], probeMagic)
	open := make([]int, len(p.targets))
	for i := range open {
		open[i] = i
	}
	for ctx.Err() == nil {
		p.mu.Lock()
		still := open[:0]
		for _, i := range open {
			if p.first[i] == 0 {
				still = append(still, i)
			}
		}
		open = still
		p.mu.Unlock()
		for _, i := range open {
			binary.BigEndian.PutUint32(b[4:], uint32(i))
			binary.BigEndian.PutUint64(b[8:], uint64(time.Since(p.began)))
			_ = unix.Sendto(p.send, b[:], 0, &p.sockaddrs[i]) // no route, for a moment, is one of the things to see
		}
		_ = nap(ctx, probeEvery)
	}
}

func (p *Prober) receive(ctx context.Context, done func()) {
	var b [256]byte
	for ctx.Err() == nil {
		n, _, err := unix.Recvfrom(p.recv, b[:], 0)
		if err != nil {
			continue // the timeout
		}
		i, sent, ok := parseProbe(b[:n])
		if !ok || i >= len(p.targets) {
			continue
		}
		p.mu.Lock()
		if p.first[i] == 0 {
			p.first[i] = sent
			p.left--
		}
		left := p.left
		p.mu.Unlock()
		if left == 0 {
			done()
		}
	}
}

// parseProbe reads an IPv4 packet.
func parseProbe(b []byte) (target int, sent time.Duration, ok bool) {
	const udp = 8
	if len(b) < 20 || b[9] != unix.IPPROTO_UDP {
		return 0, 0, false
	}
	head := int(b[0]&15) * 4
	if len(b) < head+udp+probeLen {
		return 0, 0, false
	}
	b = b[head+udp:]
	if binary.BigEndian.Uint32(b) != probeMagic {
		return 0, 0, false
	}
	return int(binary.BigEndian.Uint32(b[4:])), time.Duration(binary.BigEndian.Uint64(b[8:])), true
}
