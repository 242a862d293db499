package api

import (
	"context"
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/openvbr/openvbr/internal/pkitest"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// The gRPC statuses as they are on the wire.
const (
	wireInvalid       = "3"
	wireExhausted     = "8"
	wireUnimplemented = "12"
	wireInternal      = "13"
)

// lives checks that the server answers.
func (w *world) lives() {
	w.t.Helper()
	if got := names(w.t, routers(w.root())); got != "vbr-acme vbr-beta" {
		w.t.Errorf("routers %q", got)
	}
}

// Bytes that no client library would send get the right status, and the audit line where they were meant to change something.
func TestBadMessages(t *testing.T) {
	w := start(t, options{})
	tooLong := make([]byte, 5)
	tooLong[1] = 0x01 // 16 MiB announced
	for _, tt := range []struct {
		name, path string
		body       []byte // with its prefix; nil: none at all
		want       string
		audit      bool
	}{
		{"bad: no protobuf", "/vbr.v1.ResourceService/Apply", []byte{0, 0, 0, 0, 3, 0xff, 0xff, 0xff}, wireInternal, true},
		{"bad: no protobuf in a stream", "/vbr.v1.RouterService/ListRoutes", []byte{0, 0, 0, 0, 3, 0xff, 0xff, 0xff}, wireInternal, false},
		{"bad: oversized", "/vbr.v1.ResourceService/Apply", tooLong, wireExhausted, true},
		{"bad: compressed with nothing", "/vbr.v1.ResourceService/Apply", []byte{1, 0, 0, 0, 1, 0}, wireInternal, true},
		{"bad: truncated", "/vbr.v1.ResourceService/Apply", []byte{0, 0, 0, 0, 9, 1}, wireInternal, true},
		{"bad: no message", "/vbr.v1.ResourceService/Apply", nil, wireInternal, true},
		{"bad: unknown method", "/vbr.v1.ResourceService/Frobnicate", []byte{0, 0, 0, 0, 0}, wireUnimplemented, false},
		{"bad: unknown service", "/vbr.v2.ResourceService/Apply", []byte{0, 0, 0, 0, 0}, wireUnimplemented, false},
		{"bad: no slash", "vbr.v1.ResourceService/Apply", []byte{0, 0, 0, 0, 0}, wireUnimplemented, false},
		{"bad: only a slash", "/", []byte{0, 0, 0, 0, 0}, wireUnimplemented, false},
		{"bad: empty path", "", []byte{0, 0, 0, 0, 0}, wireUnimplemented, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := len(w.logs.audits(t))
			r := newRaw(t, "unix", w.socket(), nil)
			id := r.open(tt.path)
			r.data(id, tt.body, true)
			if got := r.ended(id); got != tt.want {
				t.Errorf("status %s, want %s", got, tt.want)
			}
			if tt.audit { // gRPC answers some of these before the guard knows
				eventually(t, "audit line", func() bool { return len(w.logs.audits(t)) > before })
			}
			if n := len(w.logs.audits(t)) - before; n > 1 || n == 1 && !tt.audit {
				t.Errorf("%d audit lines\n%s", n, w.logs)
			}
			if strings.Contains(w.logs.String(), "Canceled") {
				t.Errorf("a wrong result\n%s", w.logs)
			}
		})
	}
	if n := w.controller.noted(); len(n) > 0 {
		t.Error("the controller heard of it:", n)
	}
	w.lives()
}

// A message of exactly 1 MiB is taken, one byte more is not.
func TestMessageSize(t *testing.T) {
	w := start(t, options{})
	c := resources(w.root())
	comment := strings.Repeat("x", MaxRequest-4) // tag and three bytes of length
	for extra, want := range map[string]codes.Code{"": codes.OK, "x": codes.ResourceExhausted} {
		if _, err := c.Apply(ask(t), &vbrv1.ApplyRequest{Comment: comment + extra}); status.Code(err) != want {
			t.Errorf("%d bytes too many: %v, want %v", len(extra), err, want)
		}
	}
	w.lives()
}

// A certificate that does not do never becomes a call.
func TestBadCertificates(t *testing.T) {
	w := start(t, options{})
	other := pkitest.New(t, "test CA")
	for _, tt := range []struct {
		name string
		cfg  *tls.Config
		want string
	}{
		{"bad: none", w.client(), "certificate required"},
		{"bad: expired", w.client(issue(t, w.ca, "noc", -time.Hour)), "expired certificate"},
		{"bad: of another CA", w.client(issue(t, other, "noc", time.Hour)), "error"},
		{"bad: TLS 1.2", func() *tls.Config {
			cfg := w.client(issue(t, w.ca, "noc", time.Hour))
			cfg.MaxVersion = tls.VersionTLS12
			return cfg
		}(), "protocol version"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// TLS 1.3 tells the client when it reads; a raw connection sees the alert, gRPC's client only sometimes.
			conn, err := tls.Dial("tcp", w.tcp(), tt.cfg)
			if err == nil {
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(10 * time.Second))
				_, err = conn.Read(make([]byte, 1))
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			_, err = routers(w.dial(w.tcp(), credentials.NewTLS(tt.cfg))).GetHost(ctx, &vbrv1.GetHostRequest{})
			if status.Code(err) != codes.Unavailable {
				t.Error(err)
			}
		})
	}
	if _, err := routers(w.as("noc")).GetHost(ask(t), &vbrv1.GetHostRequest{}); err != nil {
		t.Error(err)
	}
}

// A certificate that expires while its connection lasts ends its rights.
func TestCertificateExpiresMeanwhile(t *testing.T) {
	w := start(t, options{})
	c := routers(w.dial(w.tcp(), credentials.NewTLS(w.client(issue(t, w.ca, "noc", 2*time.Second)))))
	if _, err := c.GetHost(ask(t), &vbrv1.GetHostRequest{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "refused", func() bool {
		_, err := c.GetHost(ask(t), &vbrv1.GetHostRequest{})
		return status.Code(err) == codes.Unauthenticated && strings.Contains(err.Error(), "expired at")
	})
}

// A call that was made before the certificate expired ends when it does, and tells nothing any more.
func TestCertificateExpiresDuringCall(t *testing.T) {
	w := start(t, options{})
	w.controller.apply = func(ctx context.Context, _ *vbrv1.ApplyRequest) (*vbrv1.ApplyResponse, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	c := w.dial(w.tcp(), credentials.NewTLS(w.client(issue(t, w.ca, "noc", 2*time.Second))))
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	defer cancel()
	ended := map[string]chan error{"ListEvents": make(chan error, 1), "Watch": make(chan error, 1), "Apply": make(chan error, 1)}
	follow, err := routers(c).ListEvents(ctx, &vbrv1.ListEventsRequest{Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	go func() { ended["ListEvents"] <- drain(follow) }()
	watch, err := resources(c).Watch(ctx, &vbrv1.WatchRequest{})
	if err != nil {
		t.Fatal(err)
	}
	go func() { ended["Watch"] <- drain(watch) }()
	go func() {
		_, err := resources(c).Apply(ctx, &vbrv1.ApplyRequest{})
		ended["Apply"] <- err
	}()
	for method, end := range ended {
		if err := <-end; status.Code(err) != codes.Unauthenticated || !strings.Contains(err.Error(), "the certificate of cn:noc expired at") {
			t.Errorf("%s: %v", method, err)
		}
	}
	w.lives()
}

// drain takes a stream's messages until it ends, and says how.
func drain[M any](s grpc.ServerStreamingClient[M]) error {
	for {
		if _, err := s.Recv(); err != nil {
			return err
		}
	}
}

// Certificates are replaced without a restart; a broken new file keeps the old.
func TestCertificatesReloaded(t *testing.T) {
	w := start(t, options{})
	old := w.ca
	call := func(ca *pkitest.Authority) error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		cfg := &tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{issue(t, ca, "noc", time.Hour)}, ServerName: "vbrd"}
		_, err := routers(w.dial(w.tcp(), credentials.NewTLS(cfg))).GetHost(ctx, &vbrv1.GetHostRequest{})
		return err
	}
	w.write(w.files.Certificate, []byte("no PEM at all"))
	if err := call(old); err != nil {
		t.Error("a broken file broke the server:", err)
	}
	if err := call(old); err != nil {
		t.Error(err)
	}
	if n := strings.Count(w.logs.String(), "new certificates cannot be used"); n != 1 {
		t.Errorf("%d lines in the log about one broken file", n)
	}
	fresh := pkitest.New(t, "next CA")
	w.writeServer(fresh)
	if err := call(fresh); err != nil {
		t.Error("new files are not used:", err)
	}
	if err := call(old); status.Code(err) != codes.Unavailable {
		t.Error("the old CA still lets in:", err)
	}
}
