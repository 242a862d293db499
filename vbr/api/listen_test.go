package api

import (
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/durationpb"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/control"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// The socket belongs to its group, and nobody else may use it; the folder is made.
func TestSocketFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "vbrd.sock")
	defer syscall.Umask(syscall.Umask(0o077)) // folders are made 0755 minus this, the socket is not
	s, err := Listen(Config{Socket: path, SocketGroup: "root", Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != os.ModeSocket|0o660 || info.Sys().(*syscall.Stat_t).Gid != 0 {
		t.Errorf("%v %v", info, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("still there after Close")
	}
}

// A socket of the dead is replaced; one of the living, and what is no socket, is left alone.
func TestStaleSocket(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "vbrd.sock")
	cfg := Config{Socket: path, Log: quiet()}
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	s, err := Listen(cfg)
	if err != nil {
		t.Fatal("stale:", err)
	}
	if _, err := Listen(cfg); err == nil || !strings.Contains(err.Error(), path+" is served by another process") {
		t.Error("live:", err)
	}
	s.Close()
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(cfg); err == nil || !strings.Contains(err.Error(), path+" is there and is no socket") {
		t.Error("file:", err)
	}
	if text, _ := os.ReadFile(path); string(text) != "precious" {
		t.Error("the file is gone")
	}
}

// What cannot be listened on is an error that names it, and nothing stays open.
func TestBadListen(t *testing.T) {
	dir := t.TempDir()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	w := start(t, options{})
	socket := filepath.Join(dir, "vbrd.sock")
	for _, tt := range []struct {
		name, want string
		change     func(*Config)
	}{
		{"bad: group", "api.socket_group: group: unknown group no-such-group", func(c *Config) { c.SocketGroup = "no-such-group" }},
		{"bad: folder", "not a directory", func(c *Config) { c.Socket = "/dev/null/vbrd.sock" }},
		{"bad: path too long", "invalid argument", func(c *Config) { c.Socket = filepath.Join(dir, strings.Repeat("x", 120)) }},
		{"bad: port taken", "address already in use", func(c *Config) { c.Listen = taken.Addr().String() }},
		{"bad: no certificate", "api.tls: certificate", func(c *Config) { c.Listen, c.TLS.Certificate = "127.0.0.1:0", "/nonexistent" }},
		{"bad: no CA", "client_ca: open /nonexistent", func(c *Config) { c.Listen, c.TLS.ClientCA = "127.0.0.1:0", "/nonexistent" }},
		{"bad: CA is none", "holds no certificate", func(c *Config) { c.Listen, c.TLS.ClientCA = "127.0.0.1:0", w.files.Key }},
		{"bad: rule", "api.roles[0].match", func(c *Config) { c.Rules = []Rule{{Match: "user:no-such-user"}} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := Config{Socket: socket, TLS: w.files, Log: quiet()}
			tt.change(&cfg)
			if _, err := Listen(cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
			if _, err := os.Stat(socket); err == nil {
				t.Error("the socket is still there")
			}
		})
	}
}

// other connects to a socket as another user, where the test may become one, and else as its own. Threads have credentials of their own.
func other(t *testing.T, path string) (net.Conn, uint32, []uint32) {
	t.Helper()
	uid, groups := uint32(os.Getuid()), []uint32{0, 4242}
	fds := make(chan int, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if uid == 0 {
			uid = 54321
			syscall.RawSyscall(syscall.SYS_SETGROUPS, uintptr(len(groups)), uintptr(unsafe.Pointer(&groups[0])), 0)
			syscall.RawSyscall(syscall.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid))
		}
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
		}
		if err != nil {
			t.Error(err)
			fd = -1
		}
		fds <- fd
	}()
	fd := <-fds
	if fd < 0 {
		t.FailNow()
	}
	f := os.NewFile(uintptr(fd), "socket")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		t.Fatal(err)
	}
	return c, uid, groups
}

// The kernel says who connected, with all groups.
func TestPeerCredentials(t *testing.T) {
	path := filepath.Join(openDir(t), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	os.Chmod(path, 0o666)
	c, uid, groups := other(t, path)
	defer c.Close()
	in, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	id, err := peerOf(in.(*net.UnixConn))
	if err != nil {
		t.Fatal(err)
	}
	if id.uid != uid || uid == 54321 && cmp.Diff(append([]uint32{0}, groups...), id.gids) != "" {
		t.Errorf("uid %d groups %v, want %d %v", id.uid, id.gids, uid, groups)
	}
	if !strings.HasPrefix(id.name, "uid:") || !strings.Contains(id.from, "unix pid ") {
		t.Errorf("%q from %q", id.name, id.from)
	}
}

// A user of the socket whom no rule names is nobody; one whom a rule names has its role.
func TestSocketRoles(t *testing.T) {
	for _, tt := range []struct {
		name  string
		rules []Rule
		want  string
	}{
		{"OK: by group", []Rule{{Match: "group:root", Role: control.Viewer}}, "0"},
		{"bad: by nothing", []Rule{{Match: "cn:noc", Role: control.Admin}}, "7"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := start(t, options{rules: tt.rules})
			c, uid, _ := other(t, w.socket())
			if uid != 54321 { // vbrd's own user is an admin
				tt.want = "0"
			}
			r := rawOver(t, c)
			id := r.open("/vbr.v1.RouterService/GetHost")
			r.send(id, nil)
			if got := r.ended(id); got != tt.want {
				t.Errorf("status %s, want %s\n%s", got, tt.want, w.logs)
			}
		})
	}
}

// Every mutating call leaves one line: who, from where, what, what it changed, and with which result; never a key.
func TestAudit(t *testing.T) {
	w := start(t, options{})
	c := w.as("noc")
	rs := []*vbrv1.Resource{vbrv1.Wrap(&vbrv1.VirtualBorderRouter{Name: "vbr-acme",
		BgpPeers: []*vbrv1.BgpPeer{{AuthKeyFile: "s3cr3t-c4n4ry"}}})}
	for range 20 {
		rs = append(rs, vbrv1.Wrap(&vbrv1.PhysicalConnection{Name: "pc-1"}))
	}
	if _, err := resources(c).Apply(ask(t), &vbrv1.ApplyRequest{Resources: rs, DryRun: true, ConfirmWithin: durationpb.New(1), Comment: "s3cr3t-c4n4ry"}); err != nil {
		t.Fatal(err)
	}
	if _, err := resources(c).Delete(ask(t), &vbrv1.DeleteRequest{Refs: []*vbrv1.ResourceRef{{Kind: vbrv1.Kind_KIND_ROUTER_INTERFACE, Name: "ri-1"}, {Kind: 9, Name: strings.Repeat("n", 300)}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := routers(c).ResetSession(ask(t), &vbrv1.ResetSessionRequest{Router: "vbr-acme", Peer: "10.0.0.2", Soft: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := routers(c).DrainRouter(ask(t), &vbrv1.DrainRouterRequest{Router: "vbr-nono"}); err == nil {
		t.Fatal("drained")
	}
	got := w.logs.audits(t)
	for _, a := range got {
		if from, _ := a["from"].(string); !strings.HasPrefix(from, "127.0.0.1:") {
			t.Errorf("from %q", from)
		}
		delete(a, "from")
	}
	names := []any{"VirtualBorderRouter/vbr-acme"}
	for range auditNames - 1 {
		names = append(names, "PhysicalConnection/pc-1")
	}
	names = append(names, "and 5 more")
	changes := []any{"PhysicalConnection/pc-1 created", "VirtualBorderRouter/vbr-acme bgp_peers[0].hold: 30 -> 90",
		"VirtualBorderRouter/vbr-acme bgp_peers[0].auth_key_file: /keys/a -> (hidden)"}
	line := func(method, code string, rest map[string]any) map[string]any {
		rest["level"], rest["msg"], rest["method"], rest["code"], rest["who"], rest["role"] = "INFO", "audit", method, code, "cn:noc", "admin"
		return rest
	}
	want := []map[string]any{
		line("vbr.v1.ResourceService/Apply", "OK", map[string]any{"what": names, "dry_run": true, "prune": false, "diff": changes, "revision": 7.0}),
		line("vbr.v1.ResourceService/Delete", "OK", map[string]any{"what": []any{"RouterInterface/ri-1", "9/" + strings.Repeat("n", 200) + "..."}, "dry_run": false, "diff": changes, "revision": 8.0}),
		line("vbr.v1.RouterService/ResetSession", "OK", map[string]any{"what": "router vbr-acme 10.0.0.2", "soft": true, "sessions": 2.0}),
		line("vbr.v1.RouterService/DrainRouter", "NotFound", map[string]any{"what": "router vbr-nono", "err": `router "vbr-nono": there is none of that name; ` + "`vbrctl show routers` lists them"}),
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error("-want +got", d)
	}
	if strings.Contains(w.logs.String(), "c4n4ry") {
		t.Error("a key is in the log:\n", w.logs)
	}
}
