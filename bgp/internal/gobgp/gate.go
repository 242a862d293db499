package gobgp

import (
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// leaveIdle is how long the first neighbours may take to leave Idle; they take milliseconds.
const leaveIdle = time.Second

// gate closes the listeners after a restart until the first neighbours are set and have left Idle: they drop every packet, and those who dial
// try again by themselves. GoBGP accepts at once, and closes what it has accepted for a neighbour that it does not know or that
// is Idle. That is no harm to most, but a GoBGP v3 at the other end that holds our routes over a restart (RFC 4724) takes one
// connection closed before its session is up for the end of the restart, and drops them all.
type gate struct {
	listeners []*net.TCPListener
}

// close finds the listeners of a server that has just started, and closes them.
func (g *gate) close(s *Server) error {
	g.listeners = innerListeners(s.bgp)
	drop := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 0}} // keep 0 bytes of each packet (linux/filter.h)
	return g.each(func(fd int) error {
		return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &drop[0]})
	})
}

// open lets connections in, for good, once there are neighbours and none is Idle.
func (g *gate) open(s *Server) error {
	if len(g.listeners) == 0 || len(s.neighbours) == 0 {
		return nil
	}
	for end := time.Now().Add(leaveIdle); s.anyIdle() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	err := g.each(func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0) })
	g.listeners = nil
	return err
}

func (g *gate) each(do func(fd int) error) error {
	var errs []error
	for _, l := range g.listeners {
		raw, err := l.SyscallConn()
		if err == nil {
			err = errors.Join(raw.Control(func(fd uintptr) { err = do(int(fd)) }), err)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("listener %v: %w", l.Addr(), err))
		}
	}
	return errors.Join(errs...)
}

func (s *Server) anyIdle() bool {
	s.stateMu.Lock()
	defer s.stateMu.Unlock()
	for _, x := range s.sessions {
		if x.configured && x.state == "idle" {
			return true
		}
	}
	return false
}
