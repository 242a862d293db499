package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/status"
)

const (
	defaultPrefix  = "/openvbr"
	defaultTimeout = 5 * time.Second
	// probeEvery is how often etcd is asked how it is, and so how late at most a Watch is poked whose event got lost.
	probeEvery = 5 * time.Second
	// retryEvery is between attempts to reach an etcd that is away; a broken connection is tried again as often.
	retryEvery = time.Second
	// keepAlive finds a connection dead that nobody has closed. etcd refuses less than 5 s.
	keepAlive = 10 * time.Second
)

// client is the way to etcd: a connection made and watched in the background, and a deadline for each request.
type client struct {
	cfg   EtcdConfig
	ready chan struct{} // closed when conn is valid
	conn  atomic.Pointer[clientv3.Client]
	// strange is set when etcd does not know the token that our password was answered with: it has been restarted.
	strange atomic.Bool
	ctx     context.Context // ends with Close
	close   context.CancelFunc
	done    chan struct{} // closed when nothing runs in the background
	health
	watchers
}

// OpenEtcd makes a store in etcd. Only a configuration that cannot be meant is an error: if etcd is away, Problem says
// so, calls are ErrUnavailable, and it is tried again until Close.
func OpenEtcd(cfg EtcdConfig) (Store, error) {
	if err := checkEtcdConfig(cfg); err != nil {
		return nil, fmt.Errorf("store: etcd: %w", err)
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.Prefix == "" {
		cfg.Prefix = defaultPrefix
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &etcd{
		client: client{cfg: cfg, ready: make(chan struct{}), ctx: ctx, close: cancel, done: make(chan struct{})},
		prefix: strings.TrimRight(cfg.Prefix, "/"),
		keep:   History,
	}
	go s.run()
	return s, nil
}

func checkEtcdConfig(cfg EtcdConfig) error {
	if len(cfg.Endpoints) == 0 {
		return errors.New("no endpoints; legal: at least one, such as https://192.0.2.1:2379")
	}
	for _, e := range cfg.Endpoints {
		u, err := url.Parse(e)
		if err == nil {
			_, _, err = net.SplitHostPort(u.Host)
		}
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" {
			return fmt.Errorf("endpoint %q; legal: such as https://192.0.2.1:2379 or http://[2001:db8::1]:2379", e)
		}
		if cfg.TLS != nil && u.Scheme != "https" {
			return fmt.Errorf("endpoint %q with TLS; legal: https", e)
		}
	}
	if (cfg.Username == "") != (cfg.Password == "") {
		return errors.New("user name or password alone; legal: both or none")
	}
	if cfg.Timeout < 0 {
		return fmt.Errorf("timeout %v; legal: above 0", cfg.Timeout)
	}
	return nil
}

// run connects, and follows the head until Close.
func (s *etcd) run() {
	defer close(s.done)
	if !s.connect() {
		return
	}
	seen := int64(-1)
	for s.ctx.Err() == nil {
		h, err := s.head(s.ctx)
		if err == nil {
			if h.modified != seen {
				seen = h.modified
				s.poke()
			}
			s.follow(h.revision + 1)
		}
		s.pause()
		if s.strange.Swap(false) {
			s.connectAgain()
		}
	}
}

// follow pokes with every change of the head from etcd's revision on, until it is time for the next probe. The watch
// begins anew each time, so that neither compaction nor a restart of etcd nor a connection that died can end it.
func (s *etcd) follow(revision int64) {
	ctx, cancel := context.WithTimeout(s.ctx, probeEvery)
	defer cancel()
	for resp := range s.conn.Load().Watch(clientv3.WithRequireLeader(ctx), s.headKey(), clientv3.WithRev(revision)) {
		if resp.Err() != nil {
			return
		}
		s.poke()
	}
}

func (c *client) pause() {
	select {
	case <-c.ctx.Done():
	case <-time.After(retryEvery):
	}
}

// connect makes the client; that takes until etcd is there if there is a password. It is false after Close.
func (c *client) connect() bool {
	for c.ctx.Err() == nil {
		conn, err := c.dial()
		if err == nil {
			c.conn.Store(conn)
			close(c.ready)
			return true
		}
		c.set(err)
		c.pause()
	}
	return false
}

// connectAgain takes a new client with a new token. The old one would send the strange token with the very request for a new one,
// and etcd 3.4 refuses that for it, for ever.
func (c *client) connectAgain() {
	conn, err := c.dial()
	if err != nil {
		c.strange.Store(true)
		c.set(err)
		return
	}
	_ = c.conn.Swap(conn).Close() // its requests fail, as those of an etcd that is away
}

func (c *client) dial() (*clientv3.Client, error) {
	again := backoff.DefaultConfig
	again.MaxDelay = retryEvery
	return clientv3.New(clientv3.Config{
		Endpoints: c.cfg.Endpoints, TLS: c.cfg.TLS, Username: c.cfg.Username, Password: c.cfg.Password,
		Context: c.ctx, Logger: zap.NewNop(), DialTimeout: c.cfg.Timeout,
		DialKeepAliveTime: keepAlive, DialKeepAliveTimeout: defaultTimeout,
		DialOptions: []grpc.DialOption{
			grpc.WithConnectParams(grpc.ConnectParams{Backoff: again, MinConnectTimeout: defaultTimeout}),
			grpc.WithChainUnaryInterceptor(keepCause),
		},
	})
}

type causeKey struct{}

// keepCause notes why a request failed last, before the client's retries make it a bare deadline exceeded.
func keepCause(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	err := next(ctx, method, req, reply, conn, opts...)
	if cause, ok := ctx.Value(causeKey{}).(*string); ok && err != nil {
		if text := status.Convert(err).Message(); *cause == "" || text != context.DeadlineExceeded.Error() {
			*cause = text
		}
	}
	return err
}

// do makes one request. Errors are ErrUnavailable and a Problem until the next request that works, but for those of
// the caller's context.
func (c *client) do(ctx context.Context, request func(context.Context, *clientv3.Client) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	cause := ""
	limited, cancel := context.WithTimeout(context.WithValue(ctx, causeKey{}, &cause), c.cfg.Timeout)
	defer cancel()
	var err error
	select {
	case <-c.ready:
		err = request(limited, c.conn.Load())
	case <-c.ctx.Done():
		err = c.ctx.Err()
	case <-limited.Done():
		err = cmp.Or(c.last(), limited.Err())
	}
	switch {
	case err == nil:
		if c.set(nil) {
			c.poke()
		}
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case c.ctx.Err() != nil:
		return fmt.Errorf("etcd: %w: closed", ErrUnavailable)
	}
	if strings.Contains(cause, rpctypes.ErrInvalidAuthToken.Error()) || strings.Contains(cause, rpctypes.ErrAuthOldRevision.Error()) {
		c.strange.Store(true)
	}
	if cause != "" && cause != err.Error() {
		err = fmt.Errorf("%w: %s", err, cause)
	}
	c.set(err)
	return fmt.Errorf("etcd %s: %w: %w", strings.Join(c.cfg.Endpoints, ", "), ErrUnavailable, err)
}

func (c *client) Watch(ctx context.Context) <-chan struct{} { return c.add(ctx) }

func (c *client) Problem() string {
	return c.problem("etcd " + strings.Join(c.cfg.Endpoints, ", ") + " does not work")
}

func (c *client) Name() string { return "etcd" }

func (c *client) Close() error {
	c.close()
	<-c.done
	select {
	case <-c.ready:
		return c.conn.Load().Close()
	default:
		return nil
	}
}
