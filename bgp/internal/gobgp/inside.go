package gobgp

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"reflect"
	"sync"
	"unsafe"

	"github.com/osrg/gobgp/v4/pkg/server"
)

// This file is all that knows GoBGP from inside, where two of its faults can only be mended: see gate and dialling. Start
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
		{[]string{"listeners", "l"}, reflect.TypeFor[*net.TCPListener]()},
		{[]string{"neighborMap", "fsm", "outgoingConnMgr", "cancel"}, reflect.TypeFor[context.CancelFunc]()},
		{[]string{"neighborMap", "fsm", "outgoingConnCh", "conn"}, reflect.TypeFor[net.Conn]()},
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

// innerListeners are the server's listeners, once it has started.
func innerListeners(s *server.BgpServer) (list []*net.TCPListener) {
	listeners := inside(reflect.ValueOf(s).Elem(), "listeners")
	for i := range listeners.Len() {
		list = append(list, inside(listeners.Index(i).Elem(), "l").Interface().(*net.TCPListener))
	}
	return list
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

// dialling is what stops GoBGP from dialling a neighbour whose session is up.
//
// A connection of GoBGP's own that is under way while one from the neighbour brings the session up is closed by the neighbour.
// GoBGP then dials again, two seconds later, and a neighbour that offers graceful restart takes that for our
// restart and ends the session (RFC 4724 4.2).
type dialling struct {
	mu       sync.Mutex
	machines map[string]reflect.Value // by address; as long as the neighbour is configured
}

// learn is called when a neighbour was added or made anew.
func (d *dialling) learn(s *server.BgpServer, a netip.Addr) {
	m := innerMachine(s, a)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.machines == nil {
		d.machines = make(map[string]reflect.Value)
	}
	if m.IsValid() {
		d.machines[a.String()] = m
	}
}

func (d *dialling) forget(a netip.Addr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.machines, a.String())
}

// stop ends the dialling. It is called on the goroutine of the neighbour's state machine, whose own these fields are.
func (d *dialling) stop(peer string) {
	d.mu.Lock()
	m := d.machines[peer]
	d.mu.Unlock()
	if !m.IsValid() {
		return
	}
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
