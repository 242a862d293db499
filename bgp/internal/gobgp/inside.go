package gobgp

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"reflect"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/osrg/gobgp/v4/pkg/config/oc"
	packet "github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"github.com/osrg/gobgp/v4/pkg/server"

	"github.com/openvbr/openvbr/bgp/internal/wire"
)

// This file is all that knows GoBGP from inside, where some of its faults can only be mended: see door, conn, keys and dialling. Start
// fails when GoBGP is not as v4.8.0 is.

// errInside says that GoBGP is another one than this file was written for.
var errInside = errors.New("GoBGP is not built as v4.8.0 is inside")

// checkInside looks for all that is used here.
func checkInside() error {
	t := reflect.TypeFor[server.BgpServer]()
	for _, want := range []struct {
		path []string
		typ  reflect.Type
	}{
		{[]string{"shared", "mu"}, reflect.TypeFor[sync.RWMutex]()},
		{[]string{"acceptCh"}, reflect.TypeFor[chan net.Conn]()},
		{[]string{"neighborMap", "fsm", "outgoingConnMgr", "cancel"}, reflect.TypeFor[context.CancelFunc]()},
		{[]string{"neighborMap", "fsm", "outgoingConnCh", "conn"}, reflect.TypeFor[net.Conn]()},
		{[]string{"neighborMap", "fsm", "conn"}, reflect.TypeFor[net.Conn]()},
		{[]string{"neighborMap", "fsm", "recvOpen"}, reflect.TypeFor[*packet.BGPMessage]()},
		{[]string{"neighborMap", "fsm", "notification"}, reflect.TypeFor[chan *packet.BGPMessage]()},
		{[]string{"neighborMap", "fsm", "opensentHoldTime"}, reflect.TypeFor[float64]()},
		{[]string{"neighborMap", "fsm", "lock"}, reflect.TypeFor[sync.Mutex]()},
		{[]string{"neighborMap", "fsm", "pConf", "conf"}, reflect.TypeFor[atomic.Pointer[oc.Neighbor]]()},
	} {
		f := t
		for _, name := range want.path {
			for f.Kind() != reflect.Struct {
				f = f.Elem() // of a pointer, slice, map or channel
			}
			field, ok := f.FieldByName(name)
			if !ok {
				return errInside
			}
			f = field.Type
		}
		if f != want.typ {
			return errInside
		}
	}
	return nil
}

// inside is a field of an addressable struct, as if it were exported.
func inside(v reflect.Value, name string) reflect.Value {
	f := v.FieldByName(name)
	return reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem()
}

// innerAccept makes a server that does not run yet take connections from a channel.
func innerAccept(s *server.BgpServer, from chan net.Conn) {
	inside(reflect.ValueOf(s).Elem(), "acceptCh").Set(reflect.ValueOf(from))
}

// innerMachine is a neighbour's finite state machine, invalid when there is none.
func innerMachine(s *server.BgpServer, a netip.Addr) reflect.Value {
	v := reflect.ValueOf(s).Elem()
	mu := inside(inside(v, "shared").Elem(), "mu").Addr().Interface().(*sync.RWMutex)
	mu.RLock()
	defer mu.RUnlock()
	peer := inside(v, "neighborMap").MapIndex(reflect.ValueOf(a))
	if !peer.IsValid() {
		return reflect.Value{}
	}
	return inside(peer.Elem(), "fsm").Elem()
}

// machines are the neighbours' state machines, by address, as long as they are configured.
type machines struct {
	mu sync.Mutex
	of map[string]reflect.Value
}

// learn is called when a neighbour was added or made anew, before it has got a connection. wait is how long an OPEN may take, in whole seconds.
func (d *machines) learn(s *server.BgpServer, a netip.Addr, wait float64) {
	m := innerMachine(s, a)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.of == nil {
		d.of = make(map[string]reflect.Value)
	}
	if m.IsValid() {
		d.of[a.String()] = m
		inside(m, "opensentHoldTime").SetFloat(wait)
	}
}

func (d *machines) forget(a netip.Addr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.of, a.String())
}

// get is invalid when there is none. What learn did has been done for who got one.
func (d *machines) get(peer string) reflect.Value {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.of[peer]
}

// stopDialling stops GoBGP from dialling a neighbour whose session is up. It is called on the goroutine of the neighbour's state
// machine, whose own these fields are.
//
// A connection of GoBGP's own that is under way while one from the neighbour brings the session up is closed by the neighbour.
// GoBGP then dials again, two seconds later, and a neighbour that offers graceful restart takes that for our
// restart and ends the session (RFC 4724 4.2).
func stopDialling(m reflect.Value) {
	if manager := inside(m, "outgoingConnMgr"); !manager.IsNil() {
		inside(manager.Elem(), "cancel").Interface().(context.CancelFunc)()
	}
	connections := inside(m, "outgoingConnCh")
	for {
		got, ok := connections.TryRecv()
		if !ok {
			return
		}
		late := reflect.New(got.Type()).Elem()
		late.Set(got)
		_ = inside(late, "conn").Interface().(net.Conn).Close()
	}
}

// onOpen is called when a peer's OPEN was accepted, and onUp when its session comes up, both on the goroutine of its state machine. A
// connection that GoBGP has dialled gets its guard there.
func (s *Server) onOpen(peer string) {
	if m := s.machines.get(peer); m.IsValid() {
		s.adopt(peer, m, openConfirm)
	}
}

func (s *Server) onUp(peer string) {
	m := s.machines.get(peer)
	if !m.IsValid() {
		return
	}
	stopDialling(m)
	if c := s.adopt(peer, m, established); c != nil {
		c.establish(m)
	}
}

// adopt is the guarded connection of a state machine.
func (s *Server) adopt(peer string, m reflect.Value, state byte) *conn {
	field := inside(m, "conn")
	if c, ok := field.Interface().(*conn); ok {
		return c
	}
	tcp, ok := field.Interface().(*net.TCPConn)
	a, err := netip.ParseAddr(peer)
	if !ok || err != nil {
		return nil
	}
	c := s.door.dialled(tcp, a, state)
	field.Set(reflect.ValueOf(c))
	if open, ok := inside(m, "recvOpen").Interface().(*packet.BGPMessage); ok && open != nil {
		c.session = agreed(&c.session, open.Body.(*packet.BGPOpen))
		if b, err := open.Serialize(); err == nil {
			s.noteOpen(a, false, b)
		}
	}
	return c
}

// agreed is the session that a peer's OPEN makes.
func agreed(s *wire.Session, open *packet.BGPOpen) wire.Session {
	var as4, extended, refresh bool
	var families []wire.Family
	for _, p := range open.OptParams {
		o, ok := p.(*packet.OptionParameterCapability)
		if !ok {
			continue
		}
		for _, c := range o.Capability {
			switch c := c.(type) {
			case *packet.CapMultiProtocol:
				families = append(families, wire.Family{AFI: c.CapValue.Afi(), SAFI: c.CapValue.Safi()})
			case *packet.CapFourOctetASNumber:
				as4 = true
			case *packet.CapExtendedMessage:
				extended = true
			case *packet.CapRouteRefresh:
				refresh = true
			}
		}
	}
	if families == nil { // RFC 4760 8
		families = []wire.Family{wire.IPv4}
	}
	return s.Agree(families, as4, extended, refresh)
}

// notify ends a session that is up with a NOTIFICATION. One that is ending already may not hear of it.
func notify(m reflect.Value, v wire.Verdict) {
	select {
	case inside(m, "notification").Interface().(chan *packet.BGPMessage) <- packet.NewBGPNotificationMessage(v.Code, v.Subcode, append([]byte(nil), v.Data...)):
	default:
	}
}

// change changes what GoBGP holds of the neighbour of a session that is up.
func (c *conn) change(f func(*oc.Neighbor)) {
	lock := inside(c.machine, "lock").Addr().Interface().(*sync.Mutex)
	conf := innerConfig(c.machine)
	lock.Lock()
	defer lock.Unlock()
	changed := *conf.Load()
	f(&changed)
	conf.Store(&changed)
}

// innerConfig is what GoBGP holds of a neighbour. What it points to is never changed in place.
func innerConfig(m reflect.Value) *atomic.Pointer[oc.Neighbor] {
	return inside(inside(m, "pConf"), "conf").Addr().Interface().(*atomic.Pointer[oc.Neighbor])
}
