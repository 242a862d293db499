package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// ownNamespace tells a test binary that it runs in a network namespace of its own.
const ownNamespace = "TEST_OWN_NAMESPACE"

// TestMain runs the tests in a fresh network namespace: the binary starts itself there.
func TestMain(m *testing.M) {
	if os.Getenv(ownNamespace) != "" {
		goleak.VerifyTestMain(m)
	}
	runtime.LockOSThread() // Pdeathsig is about the thread
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), ownNamespace+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		os.Exit(0)
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		os.Exit(exit.ExitCode())
	}
	fmt.Fprintln(os.Stderr, "run in a network namespace (root needed):", err)
	os.Exit(1)
}

// output is what a vbrd wrote.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// vbrd is one that runs, in this process.
type vbrd struct {
	t      *testing.T
	dir    string
	out    *output
	cancel context.CancelFunc
	status chan int
}

// startVbrd runs vbrd on a folder with its settings, resources and state until stop.
func startVbrd(t *testing.T, dir, settings string) *vbrd {
	t.Helper()
	file := filepath.Join(dir, "vbrd.yaml")
	put(t, file, fmt.Sprintf("host: edge1\nresources: %s/resources.d\nstate_dir: %[1]s/state\nkey_dir: %[1]s/keys\nlog: {level: debug, format: json}\n%s", dir, settings))
	if !strings.Contains(settings, "api:") {
		put(t, file, fmt.Sprintf("host: edge1\nresources: %s/resources.d\nstate_dir: %[1]s/state\nkey_dir: %[1]s/keys\nlog: {level: debug, format: json}\napi: {socket: %[1]s/sock}\n%s", dir, settings))
	}
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "resources.d"), 0o755), os.MkdirAll(filepath.Join(dir, "keys/acme"), 0o700)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	v := &vbrd{t: t, dir: dir, out: &output{}, cancel: cancel, status: make(chan int, 1)}
	go func() { v.status <- run(ctx, []string{"--config", file}, v.out, v.out) }()
	t.Cleanup(cancel)
	return v
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// ends waits for the end and returns the status.
func (v *vbrd) ends() int {
	v.t.Helper()
	select {
	case s := <-v.status:
		return s
	case <-time.After(20 * time.Second):
		v.t.Fatal("vbrd does not end:\n", v.out)
		return -1
	}
}

func (v *vbrd) stop() {
	v.t.Helper()
	v.cancel()
	if s := v.ends(); s != exitOK {
		v.t.Errorf("status %d:\n%s", s, v.out)
	}
}

// dial returns the API's clients.
func (v *vbrd) dial() (vbrv1.ResourceServiceClient, vbrv1.RouterServiceClient) {
	v.t.Helper()
	c, err := grpc.NewClient("unix://"+filepath.Join(v.dir, "sock"), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { c.Close() })
	return vbrv1.NewResourceServiceClient(c), vbrv1.NewRouterServiceClient(c)
}

func ask(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func ip(t *testing.T, line string) {
	t.Helper()
	if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", line, err, out)
	}
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !f(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never: " + what)
		}
	}
}

// port makes a device for one test.
func port(t *testing.T, name string) {
	t.Helper()
	ip(t, "link add "+name+" type veth peer name "+name+"p")
	t.Cleanup(func() { ip(t, "link delete "+name) })
	ip(t, "link set "+name+"p up")
}

func pc(device string) *vbrv1.Resource {
	return vbrv1.Wrap(&vbrv1.PhysicalConnection{Name: "pc-1", Device: device})
}

func router(key string) *vbrv1.Resource {
	return vbrv1.Wrap(&vbrv1.VirtualBorderRouter{
		Name: "vbr-acme", Owner: "acme", PhysicalConnectionId: "pc-1", Vrf: "default", LocalGatewayIp: "10.0.0.1", PeerGatewayIp: "10.0.0.2", PeeringSubnetMask: "/30",
		BgpPeers: []*vbrv1.BgpPeer{{PeerIpAddress: "10.0.0.2", PeerAsn: proto.Uint32(65001), AuthKeyFile: key}},
	})
}

// What is applied runs, outlives a restart, and the API tells of it.
func TestServe(t *testing.T) {
	port(t, "eth1")
	dir := t.TempDir()
	v := startVbrd(t, dir, "")
	res, routers := v.dial()
	h, err := routers.GetHost(ask(t), &vbrv1.GetHostRequest{})
	if err != nil {
		t.Fatal(err, v.out)
	}
	if h.Host != "edge1" || h.Version != version || h.Store != "bbolt" || h.Revision != 0 || time.Since(h.StartTime.AsTime()) > time.Minute {
		t.Errorf("%v", h)
	}
	a, err := res.Apply(ask(t), &vbrv1.ApplyRequest{Resources: []*vbrv1.Resource{pc("eth1"), router("")}})
	if err != nil || a.Revision != 1 {
		t.Fatal(a, err)
	}
	runs := func(routers vbrv1.RouterServiceClient) func() bool {
		return func() bool {
			h, err := routers.GetHost(ask(t), &vbrv1.GetHostRequest{})
			return err == nil && h.Routers == 1 && h.Revision == 1
		}
	}
	eventually(t, "the router runs", runs(routers))
	if out, _ := exec.Command("ip", "addr", "show", "eth1").CombinedOutput(); !strings.Contains(string(out), "10.0.0.1/30") {
		t.Errorf("%s", out)
	}
	_, err = res.Apply(ask(t), &vbrv1.ApplyRequest{Resources: []*vbrv1.Resource{pc("eth77")}})
	if status.Code(err) != codes.InvalidArgument && status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "eth77") {
		t.Error("a device that is not there:", err)
	}
	v.stop()
	v = startVbrd(t, dir, "")
	_, routers = v.dial()
	eventually(t, "the router runs again", runs(routers))
	v.stop()
}

// SIGHUP reads the files again; wrong ones change nothing.
func TestReload(t *testing.T) {
	hup := make(chan os.Signal, 1) // one that comes before vbrd listens must not end the test
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	dir := t.TempDir()
	v := startVbrd(t, dir, "")
	res, _ := v.dial()
	has := func() bool {
		_, err := res.Get(ask(t), &vbrv1.GetRequest{Kind: vbrv1.Kind_KIND_PHYSICAL_CONNECTION, Name: "pc-9"})
		return err == nil
	}
	if has() {
		t.Fatal("too early")
	}
	put(t, dir+"/resources.d/a.yaml", "kind: PhysicalConnection\nname: pc-9\ndevice: lo\n")
	eventually(t, "taken", func() bool { syscall.Kill(os.Getpid(), syscall.SIGHUP); return has() })
	put(t, dir+"/resources.d/a.yaml", "kind: PhysicalConnection\nname: pc-9\ndevice: lo\nspeed: 9\n")
	syscall.Kill(os.Getpid(), syscall.SIGHUP)
	eventually(t, "refused", func() bool { return strings.Contains(v.out.String(), "what was read before stays") })
	if !has() || !strings.Contains(v.out.String(), "a.yaml:4:1") {
		t.Error(v.out)
	}
	v.stop()
}

// What cannot be listened on ends vbrd before anything is touched.
func TestCannotListen(t *testing.T) {
	ip(t, "link set lo up")
	taken, err := net.Listen("tcp", "127.0.0.1:7443")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	certificate, key := pair(t)
	for _, tt := range []struct {
		name, api, want string
		status          int
	}{
		{"bad: group", "socket: DIR/sock, socket_group: no-such-group", "api.socket_group", exitInvalid},
		{"bad: role", "socket: DIR/sock, roles: [{match: 'user:no-such-user', role: admin}]", "api.roles[0].match", exitInvalid},
		{"bad: port taken", fmt.Sprintf("socket: DIR/sock, listen: '127.0.0.1:7443', tls: {certificate: %s, key: %s, client_ca: %[1]s}", certificate, key), "address already in use", exitFailed},
		{"bad: port of the glass taken", "socket: DIR/sock}\nglass: {listen: '127.0.0.1:7443'", "glass.listen: api: listen tcp 127.0.0.1:7443: bind: address already in use", exitFailed},
		{"bad: glass and metrics at one port", "socket: DIR/sock}\nmetrics: {listen: '127.0.0.1:7444'}\nglass: {listen: '127.0.0.1:7444'", "glass.listen", exitFailed},
		{"bad: socket is a file", "socket: DIR/vbrd.yaml", "is there and is no socket", exitFailed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			v := startVbrd(t, dir, "api: {"+strings.ReplaceAll(tt.api, "DIR", dir)+"}\n")
			if s := v.ends(); s != tt.status || !strings.Contains(v.out.String(), tt.want) {
				t.Errorf("status %d, want %d: %s", s, tt.status, v.out)
			}
			for _, left := range []string{"sock", "state"} {
				if _, err := os.Stat(filepath.Join(dir, left)); err == nil {
					t.Error(left, "was made")
				}
			}
		})
	}
}

// A damaged store is set aside and said loudly; vbrd runs.
func TestDamagedStore(t *testing.T) {
	dir := t.TempDir()
	v := startVbrd(t, dir, "")
	res, _ := v.dial()
	if _, err := res.Apply(ask(t), &vbrv1.ApplyRequest{Resources: []*vbrv1.Resource{pc("lo")}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "cached", func() bool {
		found, _ := filepath.Glob(dir + "/state/cache-bbolt-*")
		return len(found) > 0
	})
	v.stop()
	if err := os.Truncate(dir+"/state/intent.db", 5000); err != nil {
		t.Fatal(err)
	}
	v = startVbrd(t, dir, "")
	res, routers := v.dial()
	h, err := routers.GetHost(ask(t), &vbrv1.GetHostRequest{})
	if err != nil || !strings.Contains(fmt.Sprint(h.Problems), "intent.db is damaged and was set aside") {
		t.Error(h, err)
	}
	if _, err := res.Get(ask(t), &vbrv1.GetRequest{Kind: vbrv1.Kind_KIND_PHYSICAL_CONNECTION, Name: "pc-1"}); err != nil {
		t.Error("not recovered from the cache:", err)
	}
	if !strings.Contains(v.out.String(), "THE STORE IS DAMAGED") {
		t.Error(v.out)
	}
	v.stop()
}

// When the store is lost with all that was known of it, what runs is not taken for unwanted.
func TestLostStoreRemovesNothing(t *testing.T) {
	port(t, "eth1")
	dir := t.TempDir()
	v := startVbrd(t, dir, "")
	res, _ := v.dial()
	if _, err := res.Apply(ask(t), &vbrv1.ApplyRequest{Resources: []*vbrv1.Resource{pc("eth1"), router("")}}); err != nil {
		t.Fatal(err)
	}
	has := func() bool {
		out, _ := exec.Command("ip", "addr", "show", "eth1").CombinedOutput()
		return strings.Contains(string(out), "10.0.0.1/30")
	}
	eventually(t, "the router runs", has)
	cached := func() []string { found, _ := filepath.Glob(dir + "/state/cache-bbolt-*"); return found }
	eventually(t, "cached", func() bool { return len(cached()) > 0 })
	v.stop()
	for _, path := range cached() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Truncate(dir+"/state/intent.db", 5000); err != nil {
		t.Fatal(err)
	}
	v = startVbrd(t, dir, "")
	res, routers := v.dial()
	h, err := routers.GetHost(ask(t), &vbrv1.GetHostRequest{})
	if err != nil || h.Routers != 0 || !strings.Contains(fmt.Sprint(h.Problems), "stored resources may be missing") {
		t.Error(h, err)
	}
	if _, err := res.Apply(ask(t), &vbrv1.ApplyRequest{Resources: []*vbrv1.Resource{pc("eth1")}}); err != nil {
		t.Error(err)
	}
	eventually(t, "applied", func() bool {
		h, err := routers.GetHost(ask(t), &vbrv1.GetHostRequest{})
		return err == nil && h.Revision == 1
	})
	if !has() {
		t.Error("the address of a router that may still be wanted is gone")
	}
	v.stop()
	v = startVbrd(t, dir, "")
	eventually(t, "removed when it is known to be unwanted", func() bool { return !has() })
	v.stop()
}
