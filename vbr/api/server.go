package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/protobuf/types/known/timestamppb"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// Config says where to listen and who may call.
type Config struct {
	Socket string // path
	// SocketGroup owns the socket; "": DefaultGroup if the system has it, else that of the process.
	SocketGroup string
	// Listen is the TCP address, "host:port"; "": none. TLS must be set with it, and with a Door that is no loopback address.
	Listen string
	TLS    TLSFiles
	Rules  []Rule // none: members of the socket's group are admins
	Rate   int    // calls a second of one caller; 0: DefaultRate
	Log    *slog.Logger
}

// Backends are what calls are about.
type Backends struct {
	Controller Controller
	Host       Host
	Events     Events
	Name       string // of this host
	Version    string
	StartTime  *timestamppb.Timestamp
}

// Server is the API's server. Callers that connect between Listen and Serve wait.
type Server struct {
	log       *slog.Logger
	limits    limits
	shake     *handshaker
	listeners []net.Listener
	gid       *uint32  // of sockets
	tls       TLSFiles // for doors
}

// Listen opens the sockets. An error means that nothing stays open.
func Listen(cfg Config) (*Server, error) {
	gid, err := socketGroup(cfg.SocketGroup)
	if err != nil {
		return nil, err
	}
	rs, err := newRules(cfg.Rules, gid)
	if err != nil {
		return nil, err
	}
	if cfg.Rate == 0 {
		cfg.Rate = DefaultRate
	}
	s := &Server{log: cfg.Log, limits: defaultLimits(), gid: gid, tls: cfg.TLS, shake: &handshaker{rules: rs, peers: newPeers(cfg.Log, cfg.Rate)}}
	if cfg.Listen != "" {
		c, err := newCerts(cfg.TLS, cfg.Log)
		if err != nil {
			return nil, err
		}
		s.shake.tls = credentials.NewTLS(c.config())
	}
	l, err := listenUnix(cfg.Socket, gid, "api.socket")
	if err != nil {
		return nil, err
	}
	s.add(l)
	if cfg.Listen == "" {
		return s, nil
	}
	if l, err = listenTCP(cfg.Listen); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.add(l)
	return s, nil
}

func (s *Server) add(l net.Listener) {
	s.listeners = append(s.listeners, &listener{Listener: l, peers: s.shake.peers})
}

// Addresses are where the server listens: the socket, then TCP.
func (s *Server) Addresses() []net.Addr {
	var out []net.Addr
	for _, l := range s.listeners {
		out = append(out, l.Addr())
	}
	return out
}

// Close gives up a server that does not Serve.
func (s *Server) Close() error {
	var errs []error
	for _, l := range s.listeners {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// Serve answers calls until ctx is done, and then within a second gives those in progress StopTimeout to end. It is
// called once.
func (s *Server) Serve(ctx context.Context, b Backends) error {
	s.shake.firstCall = s.limits.firstCall
	stop, stopped := context.WithCancel(context.Background())
	defer stopped()
	g := s.guard(stop)
	checks := g.register(b)
	var wg sync.WaitGroup
	failed := make(chan error, len(s.listeners))
	for _, l := range s.listeners {
		wg.Go(func() {
			if err := g.server.Serve(l); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
				failed <- fmt.Errorf("api: %s: %w", l.Addr(), err)
			}
		})
		s.log.Info("api listens", "network", l.Addr().Network(), "address", l.Addr().String())
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	checks.Shutdown()
	stopped()
	g.end()
	wg.Wait()
	return err
}

func (s *Server) guard(stop context.Context) *guard {
	g := &guard{methods: methods(), limits: s.limits, log: s.log, stop: stop}
	g.server = grpc.NewServer(
		grpc.Creds(s.shake), grpc.UnknownServiceHandler(g.unknown),
		grpc.MaxRecvMsgSize(MaxRequest), grpc.MaxSendMsgSize(MaxResponse), grpc.MaxHeaderListSize(MaxHeaders),
		grpc.MaxConcurrentStreams(MaxStreams), grpc.ConnectionTimeout(HandshakeTimeout),
		grpc.StaticStreamWindowSize(streamWindow), grpc.StaticConnWindowSize(connWindow),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: IdleTimeout, Time: KeepaliveTime, Timeout: KeepaliveTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: MinPing, PermitWithoutStream: true}),
	)
	return g
}

// register registers all services; the health service says that they serve.
func (g *guard) register(b Backends) *health.Server {
	vbrv1.RegisterResourceServiceServer(g, &resourceService{c: b.Controller})
	vbrv1.RegisterRouterServiceServer(g, &routerService{b: b})
	checks := health.NewServer()
	grpc_health_v1.RegisterHealthServer(g, checks)
	for _, name := range []string{vbrv1.ResourceService_ServiceDesc.ServiceName, vbrv1.RouterService_ServiceDesc.ServiceName} {
		checks.SetServingStatus(name, grpc_health_v1.HealthCheckResponse_SERVING)
	}
	reflection.Register(g)
	return checks
}

// end lets calls end by themselves for StopTimeout, then ends them; what does not end even then is left behind.
func (g *guard) end() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.server.GracefulStop()
	}()
	select {
	case <-done:
		return
	case <-time.After(StopTimeout):
		g.server.Stop()
	}
	select {
	case <-done:
	case <-time.After(killTimeout):
		g.log.Warn("api: a call does not end; it is left behind")
	}
}
