package glass

import (
	"context"
	"net"
	"net/http"
	"sync"

	"github.com/openvbr/openvbr/vbr/api"
)

// visits are the connections that are open.
type visits struct {
	mu   sync.Mutex
	open map[net.Conn]*visit
}

// visit is one connection, with its caller from the first request on.
type visit struct {
	conn  net.Conn
	mu    sync.Mutex
	guest *api.Guest
	ended bool
}

type visitKey struct{}

// begin is the server's ConnContext.
func (vs *visits) begin(ctx context.Context, c net.Conn) context.Context {
	v := &visit{conn: c}
	vs.mu.Lock()
	defer vs.mu.Unlock()
	vs.open[c] = v
	return context.WithValue(ctx, visitKey{}, v)
}

// state is the server's ConnState.
func (vs *visits) state(c net.Conn, now http.ConnState) {
	if now != http.StateClosed && now != http.StateHijacked {
		return
	}
	vs.mu.Lock()
	v := vs.open[c]
	delete(vs.open, c)
	vs.mu.Unlock()
	if v != nil {
		v.end()
	}
}

// end ends those that are left.
func (vs *visits) end() {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	for c, v := range vs.open {
		v.end()
		delete(vs.open, c)
	}
}

// enter is the caller of a request, as a client of the API.
func (v *visit) enter(d *api.Door) (*api.Guest, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ended {
		return nil, net.ErrClosed
	}
	if v.guest != nil {
		return v.guest, nil
	}
	g, err := d.Enter(v.conn)
	if err == nil {
		v.guest = g
	}
	return g, err
}

func (v *visit) end() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.ended = true
	if v.guest != nil {
		_ = v.guest.Close() // it says only that it is closed
	}
}
