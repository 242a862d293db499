// Package client connects to vbrd: over its unix socket, or over TCP with mutual TLS.
package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// DefaultSocket is where vbrd listens unless its settings say otherwise.
const DefaultSocket = "/run/vbrd/vbrd.sock"

// maxReply bounds a reply, in bytes: a plan of 10,000 resources has room.
const maxReply = 64 << 20

// Options say where vbrd is.
type Options struct {
	Socket string
	// Address is host:port; empty: the socket. Cert, Key and CA are PEM files and required with it.
	Address, Cert, Key, CA string
	// ServerName is the name in vbrd's certificate; empty: the host of Address.
	ServerName string
}

// Where names the place for people.
func (o Options) Where() string {
	if o.Address != "" {
		return o.Address
	}
	return o.Socket
}

// Client is a connection. It connects with the first call.
type Client struct {
	Resources vbrv1.ResourceServiceClient
	Routers   vbrv1.RouterServiceClient

	conn      *grpc.ClientConn
	answers   answers
	mu        sync.Mutex
	connected bool
	dialErr   error
}

// New returns a client. It fails when the options or the certificates are wrong, not when vbrd is away.
func New(o Options) (*Client, error) {
	c := &Client{}
	target, creds, opts := "passthrough:///"+o.Address, credentials.TransportCredentials(nil), []grpc.DialOption{}
	network, address := "tcp", o.Address
	if o.Address == "" {
		network, address = "unix", o.Socket
		target, creds = "passthrough:///vbrd", insecure.NewCredentials()
		opts = append(opts, grpc.WithAuthority("localhost"))
	} else {
		config, err := tlsConfig(o)
		if err != nil {
			return nil, err
		}
		creds = credentials.NewTLS(config)
		opts = append(opts, grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 5 * time.Minute, Timeout: 20 * time.Second}))
	}
	opts = append(opts, grpc.WithTransportCredentials(creds), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxReply)), grpc.WithStatsHandler(&c.answers),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return c.dial(ctx, network, address) }))
	conn, err := grpc.NewClient(target, opts...)
	if err != nil {
		return nil, err
	}
	c.conn, c.Resources, c.Routers = conn, vbrv1.NewResourceServiceClient(conn), vbrv1.NewRouterServiceClient(conn)
	return c, nil
}

func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.connected, c.dialErr = c.connected || err == nil, err
	return conn, err
}

// Reached tells whether vbrd was ever reached, and otherwise why not, nil if that is not known.
func (c *Client) Reached() (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.connected, c.dialErr
}

// Answered tells whether the status of the call that failed last is vbrd's own answer, not what became of the connection.
func (c *Client) Answered() bool { return c.answers.last.Load() }

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// tlsConfig is for TLS 1.3 with a certificate on both sides.
func tlsConfig(o Options) (*tls.Config, error) {
	if _, _, err := net.SplitHostPort(o.Address); err != nil {
		return nil, fmt.Errorf("--address %q: %w; legal: host:port", o.Address, err)
	}
	if o.Cert == "" || o.Key == "" || o.CA == "" {
		return nil, errors.New("--address needs --cert, --key and --ca too: vbrd wants to know who you are")
	}
	cert, err := tls.LoadX509KeyPair(o.Cert, o.Key)
	if err != nil {
		return nil, fmt.Errorf("--cert %s, --key %s: %w", o.Cert, o.Key, err)
	}
	pem, err := os.ReadFile(o.CA)
	if err != nil {
		return nil, fmt.Errorf("--ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("--ca %s: %w", o.CA, errors.New("no certificate in it; legal: PEM"))
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}, RootCAs: pool, ServerName: o.ServerName}, nil
}
