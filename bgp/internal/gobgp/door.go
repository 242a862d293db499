package gobgp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/osrg/gobgp/v4/pkg/apiutil"

	"github.com/openvbr/openvbr/bgp/internal/wire"
)

const (
	// halfOpen is how many connections of one neighbour may be without a session.
	halfOpen = 4
	// acceptPause follows an error of accept, such as too many open files.
	acceptPause = 100 * time.Millisecond
	// queued is how many accepted connections GoBGP may not have taken yet.
	queued = 32
)

// door is a server's listeners and all its connections. GoBGP has none of its own: it would accept strangers before it closes them, keep a
// silent connection for four minutes, and stop listening for good when files run out.
//
// A packet of anybody who is no neighbour is dropped by the kernel (filter.go): who dials gets no answer, and costs nothing. Nothing is accepted
// before the first neighbours have left Idle; GoBGP would close it, and a GoBGP v3 at the other end that holds our routes over a restart (RFC 4724)
// takes one connection closed before its session is up for the end of the restart, and drops them all. The kernel completes the first neighbours'
// connections meanwhile, and they wait in its queue: a neighbour whose SYN was dropped instead would send the next one a second later.
type door struct {
	s         *Server
	listeners []*net.TCPListener
	accepted  chan net.Conn // GoBGP's end
	run       context.Context
	shut      context.CancelFunc
	opened    chan struct{} // closed when connections may be accepted
	wg        sync.WaitGroup

	mu    sync.Mutex
	known map[netip.Addr]Neighbour
	conns map[netip.Addr]map[*conn]struct{} // whether they have a session or not
}

func newDoor(s *Server) *door {
	d := &door{
		s: s, accepted: make(chan net.Conn, queued), opened: make(chan struct{}),
		known: map[netip.Addr]Neighbour{}, conns: map[netip.Addr]map[*conn]struct{}{},
	}
	d.run, d.shut = context.WithCancel(context.Background())
	return d
}

// listenAll listens, on all addresses or none.
func (d *door) listenAll(ctx context.Context) error {
	for _, a := range d.s.cfg.Listen {
		l, err := d.listen(ctx, netip.AddrPortFrom(a, d.s.cfg.Port))
		if err != nil {
			return errors.Join(err, d.close())
		}
		d.listeners = append(d.listeners, l)
	}
	for _, l := range d.listeners {
		d.wg.Go(func() { d.accept(l) })
	}
	return nil
}

func (d *door) listen(ctx context.Context, at netip.AddrPort) (*net.TCPListener, error) {
	config := net.ListenConfig{KeepAlive: -1, Control: func(_, _ string, c syscall.RawConn) (err error) {
		return errors.Join(c.Control(func(fd uintptr) { err = d.prepare(int(fd), at.Addr().Is4()) }), err)
	}}
	config.SetMultipathTCP(false) // a key (RFC 2385) cannot be set with it
	network := "tcp6"
	if at.Addr().Is4() {
		network = "tcp4"
	}
	l, err := config.Listen(ctx, network, at.String())
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return l.(*net.TCPListener), nil
}

// prepare makes a socket ready to listen. Its answers leave with TTL 255, for neighbours that ask for that (RFC 5082).
func (d *door) prepare(fd int, v4 bool) error {
	if d.s.cfg.Device != "" {
		if err := unix.BindToDevice(fd, d.s.cfg.Device); err != nil {
			return fmt.Errorf("bind to device %s: %w", d.s.cfg.Device, err)
		}
	}
	return errors.Join(setTTL(fd, v4, maxTTL), filter(nil, v4).attach(fd))
}

// close ends listening. Connections are their sessions' to close; those that GoBGP has not taken are closed by drain.
func (d *door) close() error {
	d.shut()
	var errs []error
	for _, l := range d.listeners {
		errs = append(errs, l.Close())
	}
	d.wg.Wait()
	return errors.Join(errs...)
}

// drain closes what is left when GoBGP has ended.
func (d *door) drain() {
	d.mu.Lock()
	var left []*conn
	for _, set := range d.conns {
		for c := range set {
			left = append(left, c)
		}
	}
	d.mu.Unlock()
	for _, c := range left {
		_ = c.Close()
	}
}

func (d *door) isOpen() bool {
	select {
	case <-d.opened:
		return true
	default:
		return false
	}
}

func (d *door) accept(l *net.TCPListener) {
	select {
	case <-d.opened:
	case <-d.run.Done():
		return
	}
	for {
		tcp, err := l.AcceptTCP()
		switch {
		case err == nil:
			d.admit(tcp)
		case d.run.Err() != nil:
			return
		default:
			d.s.log.Error("cannot accept connections", "err", err)
			select {
			case <-d.run.Done():
			case <-time.After(acceptPause):
			}
		}
	}
}

// admit hands a connection to GoBGP, or closes it.
func (d *door) admit(tcp *net.TCPConn) {
	peer := tcp.RemoteAddr().(*net.TCPAddr).AddrPort().Addr()
	c := d.enter(tcp, peer)
	if c == nil {
		_ = tcp.SetLinger(0)
		_ = tcp.Close()
		return
	}
	select {
	case d.accepted <- c:
	case <-d.run.Done():
		_ = c.Close()
	}
}

// enter makes a conn of a connection that is let in, nil of another.
func (d *door) enter(tcp *net.TCPConn, peer netip.Addr) *conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, ok := d.known[peer]
	waiting := 0
	for c := range d.conns[peer] {
		if !c.ours && !c.up.Load() {
			waiting++
		}
	}
	if !ok || waiting >= halfOpen || ready(tcp) != nil {
		return nil
	}
	c := d.s.newConn(tcp, n, false)
	d.add(c)
	return c
}

// errGone says that the peer has closed its connection while it waited to be accepted.
var errGone = errors.New("closed by the peer")

// ready undoes what a connection has from its listener: its packets need not be filtered. It fails for one that the peer has given up: GoBGP would take it
// for the session, close the one that the peer made instead, and be idle for five seconds.
func ready(tcp *net.TCPConn) error {
	return control(tcp, func(fd int) error {
		if info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO); err != nil || info.State != unix.BPF_TCP_ESTABLISHED {
			return errors.Join(errGone, err)
		}
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0); !errors.Is(err, unix.ENOENT) {
			return err
		}
		return nil
	})
}

// dialled makes a conn of a connection that we made.
func (d *door) dialled(tcp *net.TCPConn, n Neighbour) *conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.s.newConn(tcp, n, true)
	d.add(c)
	return c
}

// neighbour is one that is let in.
func (d *door) neighbour(a netip.Addr) (Neighbour, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, ok := d.known[a]
	return n, ok
}

// end ends a neighbour's connections, which were made with another configuration (RFC 4486 4).
func (d *door) end(peer netip.Addr) {
	d.mu.Lock()
	all := slices.Collect(maps.Keys(d.conns[peer]))
	d.mu.Unlock()
	for _, c := range all {
		c.quit(wire.Verdict{Action: wire.Reset, Code: 6, Subcode: 6, Why: "its configuration changes"})
	}
}

// sessions are the connections of all sessions that are up.
func (d *door) sessions() []*conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	var l []*conn
	for _, set := range d.conns {
		for c := range set {
			if c.up.Load() {
				l = append(l, c)
			}
		}
	}
	return l
}

// find is a session's connection by its ends; nil when it has been closed meanwhile.
func (d *door) find(peer netip.Addr, ends *apiutil.Transport) *conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := range d.conns[peer] {
		local, remote := c.LocalAddr().(*net.TCPAddr).Port, c.RemoteAddr().(*net.TCPAddr).Port
		if c.up.Load() && uint32(local) == uint32(ends.LocalPort) && uint32(remote) == uint32(ends.RemotePort) {
			return c
		}
	}
	return nil
}

func (d *door) add(c *conn) {
	if d.conns[c.peer] == nil {
		d.conns[c.peer] = map[*conn]struct{}{}
	}
	d.conns[c.peer][c] = struct{}{}
}

// left forgets a connection that was closed.
func (d *door) left(c *conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.conns[c.peer], c)
	if len(d.conns[c.peer]) == 0 {
		delete(d.conns, c.peer)
	}
}

// admitOnly sets who is let in from now on. Connections stay.
func (d *door) admitOnly(neighbours map[netip.Addr]Neighbour) error {
	d.mu.Lock()
	d.known = neighbours
	d.mu.Unlock()
	list := make([]Neighbour, 0, len(neighbours))
	for _, n := range neighbours {
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b Neighbour) int { return a.Address.Compare(b.Address) })
	return d.each(func(fd int, v4 bool) error { return filter(list, v4).attach(fd) })
}

// each does something with all listeners' sockets.
func (d *door) each(do func(fd int, v4 bool) error) error {
	var errs []error
	for _, l := range d.listeners {
		v4 := l.Addr().(*net.TCPAddr).IP.To4() != nil
		if err := control(l, func(fd int) error { return do(fd, v4) }); err != nil {
			errs = append(errs, fmt.Errorf("listener %v: %w", l.Addr(), err))
		}
	}
	return errors.Join(errs...)
}

// control does something with a socket.
func control(c syscall.Conn, do func(fd int) error) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	return errors.Join(raw.Control(func(fd uintptr) { err = do(int(fd)) }), err)
}

// asnTo is our AS towards a neighbour.
func (s *Server) asnTo(n *Neighbour) uint32 { return cmp.Or(n.LocalASN, s.cfg.ASN) }

// offer is what we offer a neighbour.
func (s *Server) offer(n *Neighbour, tcp *net.TCPConn) wire.Session {
	local := tcp.LocalAddr().(*net.TCPAddr).AddrPort().Addr()
	x := wire.Session{IBGP: n.ASN == s.asnTo(n), Role: n.Role, StrictRole: n.StrictRole, Loopback: local.IsLoopback() && n.Address.IsLoopback(), V6: !n.Address.Is4()}
	x.Families = n.Families.onWire()
	return x
}
