package gobgp

import (
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
		{[]string{"neighborMap", "fsm", "outgoingConnCh", "conn"}, reflect.TypeFor[net.Conn]()},
		{[]string{"neighborMap", "fsm", "outgoingConnCh", "open"}, reflect.TypeFor[*packet.BGPMessage]()},
		{[]string{"neighborMap", "fsm", "conn"}, reflect.TypeFor[net.Conn]()},
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

// give hands a state machine a connection that we made, with the peer's OPEN. It returns false when there is one already.
func give(m reflect.Value, c *conn, open *packet.BGPMessage) bool {
	connections := inside(m, "outgoingConnCh")
	made := reflect.New(connections.Type().Elem()).Elem()
	inside(made, "conn").Set(reflect.ValueOf(c))
	inside(made, "open").Set(reflect.ValueOf(open))
	return connections.TrySend(made)
}

// takeBack closes what was given to the state machine of a neighbour whose session is up, and comes too late. It is called on the goroutine of the
// state machine.
//
// A connection of ours that is under way while one from the neighbour brings the session up must not be taken for another session: a neighbour that
// offers graceful restart takes that for our restart and ends the session (RFC 4724 4.2).
func takeBack(m reflect.Value) {
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

// onState is called when a neighbour's state machine goes on to another state, and onUp when its session comes up, both on its goroutine.
func (s *Server) onState(peer, state string) {
	a, err := netip.ParseAddr(peer)
	switch {
	case err != nil:
	case state == packet.BGP_FSM_ACTIVE.String():
		s.dial(a)
	case state == packet.BGP_FSM_OPENCONFIRM.String():
		s.stopDial(a, true)
	}
}

func (s *Server) onUp(peer string) {
	m := s.machines.get(peer)
	if !m.IsValid() {
		return
	}
	if c, ok := inside(m, "conn").Interface().(*conn); ok {
		s.stopDial(c.peer, false)
		takeBack(m)
		c.establish(m)
	}
}

// restarting tells whether GoBGP has our own restart towards a neighbour under way (RFC 4724 4.1).
func (d *machines) restarting(a netip.Addr) bool {
	m := d.get(a.String())
	if !m.IsValid() {
		return false
	}
	return innerConfig(m).Load().GracefulRestart.State.LocalRestarting
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
