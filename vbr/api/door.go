package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// Door is one more place to listen at, for callers of another protocol, such as browsers. It finds out who they are and lets them into the API as
// themselves: over a pipe inside the process, by the same handshake, guard, roles and limits as callers that came by gRPC.
//
// It is legal to be a unix socket, a loopback address, whose callers are the users that the kernel says own the other ends, or another address
// with the API's mutual TLS.
type Door struct {
	net.Listener
	// Loopback says that callers are local processes at a TCP port, where browsers let others' pages try to call.
	Loopback bool
	pipes    *pipes
}

// Guest is a caller of a door: a client of the API, as that caller. It is to be closed.
type Guest struct {
	Name string // as audit lines have it
	*grpc.ClientConn
}

// Door opens a door, before the server serves: "unix:PATH" or ADDRESS:PORT. Setting is its key in the settings, for errors.
func (s *Server) Door(where, setting string) (*Door, error) {
	l, err := s.listenAt(where, setting)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	counted := &listener{Listener: l, peers: s.shake.peers, owner: ownerOf}
	d := &Door{Listener: counted, pipes: &pipes{arrive: make(chan net.Conn), closed: make(chan struct{})}}
	if a, tcp := l.Addr().(*net.TCPAddr); tcp && a.IP.IsLoopback() {
		d.Loopback = true
	} else if tcp {
		c, err := newCerts(s.tls, s.log)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", setting, errors.Join(err, l.Close()))
		}
		counted.owner = nil // the certificate tells, later
		d.Listener = tls.NewListener(counted, c.webConfig())
	}
	s.add(d.pipes)
	return d, nil
}

func (s *Server) listenAt(where, setting string) (net.Listener, error) {
	if path, is := strings.CutPrefix(where, "unix:"); is {
		return listenUnix(path, s.gid, setting)
	}
	return listenTCP(where)
}

// Enter finds out who is at the other end of a connection that the door has accepted, after its TLS handshake if it has one. Who the settings do
// not know enters too, and is told so at each call.
func (d *Door) Enter(c net.Conn) (*Guest, error) {
	id, err := whose(c)
	if err != nil {
		return nil, fmt.Errorf("api: who is at the other end: %w", err)
	}
	dial := func(ctx context.Context, _ string) (net.Conn, error) { return d.pipes.dial(ctx, id) }
	cc, err := grpc.NewClient("passthrough:///vbrd", grpc.WithContextDialer(dial), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy(),
		grpc.WithDisableServiceConfig(), grpc.WithDisableRetry(), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MaxResponse)))
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	return &Guest{Name: id.name, ClientConn: cc}, nil
}

// whose is the identity at the other end of a door's connection.
func whose(c net.Conn) (identity, error) {
	if t, is := c.(*tls.Conn); is {
		state := t.ConnectionState()
		if len(state.VerifiedChains) == 0 {
			return identity{}, errors.New("no verified certificate")
		}
		return *certIdentity(state.PeerCertificates[0], c.RemoteAddr().String()), nil
	}
	own, is := c.(*conn)
	if !is || own.owner == nil {
		return identity{}, fmt.Errorf("%T has no owner", c)
	}
	return *own.owner, nil
}

// ownerOf is who is at the other end of a connection within this host.
func ownerOf(c net.Conn) (*identity, error) {
	switch raw := c.(type) {
	case *net.UnixConn:
		return peerOf(raw)
	case *net.TCPConn:
		return tcpOwner(raw)
	}
	return nil, fmt.Errorf("%T has no owner", c)
}

// pipes is the listener at which guests arrive inside the process.
type pipes struct {
	arrive chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// guestConn is the server's end of a pipe, with who is at the other.
type guestConn struct {
	net.Conn
	id identity
}

func (p *pipes) dial(ctx context.Context, id identity) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.arrive <- &guestConn{Conn: far, id: id}:
		return near, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Accept is as in net.Listener.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.arrive:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close is as in net.Listener; once is enough.
func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// Addr is as in net.Listener.
func (p *pipes) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "inside the process" }
