package probe

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// slice is how soon a Shot notices that its caller has gone.
const slice = 100 * time.Millisecond

// Shot is one echo request that is not part of a check: a ping, or with a hop limit a step of a traceroute, or with a size a question for the MTU.
type Shot struct {
	Device       string     // that it leaves by, or a VRF; "" for none
	Source       netip.Addr // the kernel's choice if not valid
	Target       netip.Addr
	HopLimit     int  // 1..255; 0 for the kernel's default
	Size         int  // of the payload in bytes, MinSize..MaxSize
	DontFragment bool // RFC 791; the kernel does not go by what it learned of the path before either
}

// Outcome is what became of a Shot.
type Outcome int

const (
	Lost          Outcome = iota // nothing came until the deadline
	EchoReply                    // from the target
	TimeExceeded                 // its hop limit was reached at From
	TooBig                       // it does not fit into a packet of Answer.MTU bytes: From says so, or this host if From is not valid
	Unreachable                  // From says so, or this host if From is not valid
	SourceRefused                // the source is no address of the router
)

// Answer is what came back.
type Answer struct {
	Outcome Outcome
	From    netip.Addr
	RTT     time.Duration
	MTU     int    // of TooBig, bytes; 0 if not said
	Reason  string // of Unreachable: ICMP's, or the kernel's
}

// Once sends a Shot and waits for what comes back until the context's deadline, of which there must be one. It has a socket of its own for that time.
// The error is about this host's sockets, not about the way.
func Once(ctx context.Context, shot Shot) (Answer, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return Answer{}, errors.New("probe without a deadline")
	}
	s, err := openSocket(place{shot.Device, shot.Source, shot.Target.Is4()})
	switch {
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return Answer{Outcome: SourceRefused}, nil
	case err != nil:
		return Answer{}, err
	}
	defer s.close()
	o := &once{socket: s.(*socket), request: request{target: shot.Target, seq: 1, nonce: rand.Uint64(), size: shot.Size}}
	if err := o.prepare(shot); err != nil {
		return Answer{}, err
	}
	return o.fire(ctx, deadline)
}

// once is the socket of a Shot.
type once struct {
	*socket
	request request
	sent    time.Time
}

// prepare sets what a Shot asks for, and has errors be queued (ip(7), IP_RECVERR).
func (o *once) prepare(shot Shot) error {
	level, hops, discover, errs := unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, unix.IPV6_MTU_DISCOVER, unix.IPV6_RECVERR
	if o.v4 {
		level, hops, discover, errs = unix.IPPROTO_IP, unix.IP_TTL, unix.IP_MTU_DISCOVER, unix.IP_RECVERR
	}
	options := [][2]int{{errs, 1}}
	if shot.HopLimit > 0 {
		options = append(options, [2]int{hops, shot.HopLimit})
	}
	how := unix.IP_PMTUDISC_DONT
	if shot.DontFragment {
		how = unix.IP_PMTUDISC_PROBE
	}
	options = append(options, [2]int{discover, how})
	if shot.DontFragment && !o.v4 {
		options = append(options, [2]int{unix.IPV6_DONTFRAG, 1}) // RFC 3542 11.2
	}
	var err error
	ctl := o.raw.Control(func(fd uintptr) {
		for _, x := range options {
			if err == nil {
				err = unix.SetsockoptInt(int(fd), level, x[0], x[1])
			}
		}
	})
	if err := errors.Join(ctl, err); err != nil {
		return fmt.Errorf("options of icmp socket: %w", err)
	}
	return nil
}

// fire sends and waits. What the kernel itself refuses to send is in the error queue too, if it has something to say of it. It polls by itself: the
// runtime's poller takes a socket that has nothing but errors for broken.
func (o *once) fire(ctx context.Context, deadline time.Time) (answer Answer, err error) {
	o.sent = time.Now()
	refused := o.send(o.request)
	ctl := o.raw.Control(func(fd uintptr) {
		for {
			var done bool
			if answer, done = o.look(int(fd)); done || refused != nil || ctx.Err() != nil || time.Now().After(deadline) {
				return
			}
			wait := max(min(time.Until(deadline), slice), 0)
			if _, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(wait.Milliseconds())+1); err != nil && !errors.Is(err, unix.EINTR) {
				return
			}
			err = nil
		}
	})
	if answer.Outcome == Lost && refused != nil {
		return local(refused)
	}
	return answer, errors.Join(ctl, err)
}

// local is what this host's refusal to send means.
func local(err error) (Answer, error) {
	var errno unix.Errno
	if !errors.As(err, &errno) {
		return Answer{}, err
	}
	switch errno {
	case unix.EMSGSIZE:
		return Answer{Outcome: TooBig}, nil
	case unix.ENETUNREACH, unix.EHOSTUNREACH, unix.EACCES, unix.EINVAL, unix.ENETDOWN, unix.ENODEV, unix.EADDRNOTAVAIL:
		return Answer{Outcome: Unreachable, Reason: errno.Error()}, nil
	}
	return Answer{}, err
}

// look takes what has come: errors first.
func (o *once) look(fd int) (Answer, bool) {
	for {
		a, ok, more := o.queued(fd)
		if ok {
			return a, true
		}
		if !more {
			break
		}
	}
	buf, oob := make([]byte, 128), make([]byte, 128)
	for {
		n, oobn, _, from, err := unix.Recvmsg(fd, buf, oob, unix.MSG_DONTWAIT)
		if err != nil { // EAGAIN, or an error that is in the queue now
			return o.afterError(fd, err)
		}
		r, ok := parseReply(buf[:n], o.v4, o.v4 && o.plain)
		if ok && r.nonce == o.request.nonce && (!o.plain || r.id == o.id) && hostOf(from) == o.request.target {
			return Answer{Outcome: EchoReply, From: o.request.target, RTT: stamp(oob[:oobn], time.Now()).Sub(o.sent)}, true
		}
	}
}

func (o *once) afterError(fd int, err error) (Answer, bool) {
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return Answer{}, false
	}
	a, ok, _ := o.queued(fd)
	return a, ok
}
