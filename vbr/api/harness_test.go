package api

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/openvbr/openvbr/internal/pkitest"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/control"
	"github.com/openvbr/openvbr/vbr/events"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// logs is what was logged, as JSON lines.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// audits are the audit lines without their times.
func (l *logs) audits(t *testing.T) []map[string]any {
	t.Helper()
	var out []map[string]any
	for line := range strings.Lines(l.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		if m["msg"] == "audit" {
			delete(m, "time")
			delete(m, "took")
			out = append(out, m)
		}
	}
	return out
}

// world is a server with fakes behind it, on a socket and on TCP.
type world struct {
	t          *testing.T
	controller *fakeController
	host       *fakeHost
	events     *events.Log
	logs       *logs
	server     *Server
	ca         *pkitest.Authority
	files      TLSFiles
	stop       context.CancelFunc
	ended      chan struct{}
}

// options of a world.
type options struct {
	rules  []Rule
	rate   int
	limits func(*limits)
}

func tenantRules() []Rule {
	return []Rule{
		{Match: "cn:viewer", Role: control.Viewer},
		{Match: "uri:spiffe://example.net/acme", Role: control.Operator, Owners: []string{"acme"}},
		{Match: "cn:beta", Role: control.Operator, Owners: []string{"beta"}},
		{Match: "cn:auditor", Role: control.Viewer, Owners: []string{"acme"}},
		{Match: "cn:noc", Role: control.Admin},
	}
}

func start(t *testing.T, o options) *world {
	t.Helper()
	dir := openDir(t)
	w := &world{t: t, controller: &fakeController{}, host: &fakeHost{}, events: events.NewLog(100), logs: &logs{}, ca: pkitest.New(t, "test CA"), ended: make(chan struct{})}
	w.files = TLSFiles{Certificate: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), ClientCA: filepath.Join(dir, "ca.pem")}
	w.writeServer(w.ca)
	if o.rules == nil {
		o.rules = tenantRules()
	}
	if o.rate == 0 {
		o.rate = 10000
	}
	log := slog.New(slog.NewJSONHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	w.server, err = Listen(Config{Socket: filepath.Join(dir, "run", "vbrd.sock"), Listen: "127.0.0.1:0", TLS: w.files, Rules: o.rules, Rate: o.rate, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	if o.limits != nil {
		o.limits(&w.server.limits)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.stop = cancel
	go func() {
		defer close(w.ended)
		if err := w.server.Serve(ctx, Backends{Controller: w.controller, Host: w.host, Events: w.events, Name: "edge1", Version: "v1", StartTime: timestamppb.Now()}); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(w.end)
	return w
}

func (w *world) end() {
	w.stop()
	<-w.ended
}

func (w *world) socket() string { return w.server.Addresses()[0].String() }
func (w *world) tcp() string    { return w.server.Addresses()[1].String() }

// root is a connection over the socket, as the user who runs the test.
func (w *world) root() *grpc.ClientConn {
	return w.dial("unix://"+w.socket(), insecure.NewCredentials())
}

// as is a connection with a certificate of that common name, or of that URI.
func (w *world) as(name string) *grpc.ClientConn {
	return w.dial(w.tcp(), credentials.NewTLS(w.client(issue(w.t, w.ca, name, time.Hour))))
}

func (w *world) client(certs ...tls.Certificate) *tls.Config {
	return &tls.Config{RootCAs: w.ca.Pool(), Certificates: certs, ServerName: "vbrd"}
}

func (w *world) dial(target string, creds credentials.TransportCredentials) *grpc.ClientConn {
	w.t.Helper()
	c, err := grpc.NewClient(target, grpc.WithTransportCredentials(creds), grpc.WithAuthority("vbrd"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	return c
}

func resources(c *grpc.ClientConn) vbrv1.ResourceServiceClient {
	return vbrv1.NewResourceServiceClient(c)
}
func routers(c *grpc.ClientConn) vbrv1.RouterServiceClient { return vbrv1.NewRouterServiceClient(c) }

// ask bounds a call of a test.
func ask(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits until f is true.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never: " + what)
		}
	}
}

// issue makes a certificate for a name, which ends after that long; a name with "://" is a URI.
func issue(t *testing.T, ca *pkitest.Authority, name string, valid time.Duration) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{NotAfter: time.Now().Add(valid), DNSNames: []string{"vbrd"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	if u, err := url.Parse(name); err == nil && u.Scheme != "" {
		template.URIs = []*url.URL{u}
	} else {
		template.Subject = pkix.Name{CommonName: name}
	}
	return ca.Issue(t, template)
}

// openDir is a folder that other users can enter, which those of t.TempDir are not.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "vbrapi")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// writeServer writes the server's files, with a new certificate of that authority.
func (w *world) writeServer(ca *pkitest.Authority) {
	w.t.Helper()
	pkitest.Write(w.t, issue(w.t, ca, "vbrd", time.Hour), w.files.Certificate, w.files.Key)
	ca.Write(w.t, w.files.ClientCA, w.files.ClientCA+".key")
}

func (w *world) write(path string, text []byte) {
	w.t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		w.t.Fatal(err)
	}
}
