package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const acme = `kind: PhysicalConnection
name: pc-1
device: eth1
---
kind: VirtualBorderRouter
name: vbr-acme
physical_connection_id: pc-1
vlan_id: 4095
`

func TestNotReachable(t *testing.T) {
	dir := t.TempDir()
	gone, closed := filepath.Join(dir, "gone"), filepath.Join(dir, "closed")
	if err := os.WriteFile(closed, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	socket := func(path string) map[string]string { return map[string]string{"VBRCTL_SOCKET": path} }
	for _, command := range []string{"show host", "get all", "watch all", "events --follow", "drain vbr-acme", "version"} {
		r := runAt(t, t.Context(), socket(gone), "", strings.Fields(command)...)
		r.complain(t, exitUnreachable, gone+": dial unix "+gone+": connect: no such file or directory\n"+
			"vbrd is not running or the socket is elsewhere: systemctl status vbrd, --socket\n")
	}
	r := runAt(t, t.Context(), socket(closed), "", "show", "host")
	r.complain(t, exitUnreachable, closed+": dial unix "+closed+": connect: connection refused\n"+
		"vbrd is not running or the socket is elsewhere: systemctl status vbrd, --socket\n")
}

// Permission to open the socket is a matter of its group. Root has it always, so the run is given the error.
func TestNotAllowed(t *testing.T) {
	for cause, want := range map[error]string{
		&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EACCES)}: "/run/s: permission denied; join group vbr or use sudo\n",
		syscall.ECONNREFUSED: "/run/s: connection refused\nvbrd is not running or the socket is elsewhere: systemctl status vbrd, --socket\n",
	} {
		var errOut strings.Builder
		a := newApp(func(string) string { return "" }, nil, nil, &errOut)
		a.options.Socket = "/run/s"
		if code := a.unreachable(false, cause, status.New(codes.Unavailable, "no")); code != exitUnreachable || errOut.String() != want {
			t.Errorf("%v: status %d: %q", cause, code, errOut.String())
		}
	}
}

// A daemon that hangs up during the handshake is one that does not know the certificate, more often than not.
func TestHandshake(t *testing.T) {
	var errOut strings.Builder
	a := newApp(func(string) string { return "" }, nil, nil, &errOut)
	a.options.Address = "edge1:7443"
	text := `connection error: desc = "transport: authentication handshake failed: tls: failed to verify certificate: x509: certificate signed by unknown authority"`
	want := "edge1:7443: authentication handshake failed: tls: failed to verify certificate: x509: certificate signed by unknown authority\n" +
		"if it is about certificates: --cert must be signed by vbrd's api.tls.client_ca, vbrd's own by --ca\n"
	if code := a.unreachable(true, nil, status.New(codes.Unavailable, text)); code != exitUnreachable || errOut.String() != want {
		t.Errorf("status %d: %q", code, errOut.String())
	}
}

// A daemon that accepts and says nothing.
func TestSilent(t *testing.T) {
	f := start(t)
	f.hang = true
	f.vbrctl(t, "show", "host", "--timeout", "50ms").complain(t, exitFailed, "vbrd did not answer within 50ms; see --timeout\n")
	f.vbrctl(t, "show", "routers", "--timeout", "50ms").complain(t, exitFailed, "vbrd did not answer within 50ms; see --timeout\n")
}

// Something that is no vbrd listens.
func TestNoDaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Write([]byte("HTTP/1.1 400 no\r\n\r\n"))
			c.Close()
		}
	}()
	r := runAt(t, t.Context(), map[string]string{"VBRCTL_SOCKET": path}, "", "show", "host", "--timeout", "2s")
	if r.status != exitUnreachable || !strings.HasPrefix(r.err, path+": ") || r.out != "" {
		t.Errorf("status %d: %s%s", r.status, r.out, r.err)
	}
}

func TestInterrupted(t *testing.T) {
	f := start(t)
	f.hang = true
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if r := runAt(t, ctx, map[string]string{"VBRCTL_SOCKET": f.socket}, "", "show", "host"); r.status != exitFailed || r.err != "" {
		t.Errorf("%+v", r)
	}
}

// etcdAway is how vbrd tells of its own connection to etcd, in the words that vbrctl has for its connection to vbrd.
const etcdAway = `etcd http://192.0.2.1:2379 does not work since 12:00:00: connection error: desc = "transport: Error while dialing: connect: connection refused"`

func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		name, args string
		fail       error
		want       string
	}{
		{"aborted", "apply -f -", status.Error(codes.Aborted, "revision 8 is expected, the current one is 9"),
			"revision 8 is expected, the current one is 9\nchanged meanwhile; see `vbrctl diff`\n"},
		{"aborted with hint", "apply -f -", status.Error(codes.Aborted, "look at `vbrctl diff`"), "look at `vbrctl diff`\n"},
		{"one violation", "apply -f -", badRequest(t, codes.InvalidArgument, "x", "VirtualBorderRouter/vbr-acme.vlan_id", "4095: out of range; legal: 0..4094"),
			"stdin:8:10: VirtualBorderRouter/vbr-acme.vlan_id: 4095: out of range; legal: 0..4094\nvbrctl: 1 error; nothing was changed\n"},
		{"many violations", "apply -f -", badRequest(t, codes.FailedPrecondition, "x (and 999 more)", "PhysicalConnection/pc-1.device", "no such device", "VirtualBorderRouter/other", "in use"),
			"stdin:3:9: PhysicalConnection/pc-1.device: no such device\nVirtualBorderRouter/other: in use\nvbrctl: 1000 errors, of which 2 are shown; nothing was changed\n"},
		{"stale", "apply -f -", badRequest(t, codes.Aborted, "x", "VirtualBorderRouter/vbr-acme", "generation 2 is expected, it has 3"),
			"stdin:5:1: VirtualBorderRouter/vbr-acme: generation 2 is expected, it has 3\nvbrctl: 1 error; nothing was changed\nchanged meanwhile; see `vbrctl diff`\n"},
		{"too large", "apply -f -", status.Error(codes.ResourceExhausted, "grpc: received message larger than max (2 vs. 1)"),
			"grpc: received message larger than max (2 vs. 1)\nthat is too much for one call; split the files\n"},
		{"terminal escapes", "show host", status.Error(codes.Internal, "\x1b[2Jboo"), "\\x1b[2Jboo\nvbrd's log says more: journalctl -u vbrd\n"},
		{"store away", "apply -f -", status.Error(codes.Unavailable, "etcd is not reachable since 12:00"), "etcd is not reachable since 12:00\n"},
		{"store away in gRPC's words", "apply -f -", status.Error(codes.Unavailable, etcdAway), etcdAway + "\n"},
		{"store away, of a stream", "get all", status.Error(codes.Unavailable, etcdAway), etcdAway + "\n"},
		{"no right", "drain vbr-acme", status.Error(codes.PermissionDenied, "DrainRouter needs role operator"), "DrainRouter needs role operator\n"},
		{"old daemon", "show host", status.Error(codes.Unimplemented, "unknown method GetHost"), "unknown method GetHost\nvbrd and vbrctl are of different versions; see `vbrctl version`\n"},
		{"no revision", "diff 99", status.Error(codes.NotFound, "revision 99 is not in the history"), "revision 99 is not in the history; see `vbrctl history`\n"},
		{"not confirmed", "confirm", status.Error(codes.FailedPrecondition, "no change waits for confirmation"), "no change waits for confirmation\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := start(t)
			f.fail = tt.fail
			r := f.stdin(t, acme, strings.Fields(tt.args)...)
			r.complain(t, exitFailed, tt.want)
			if r.out != "" {
				t.Errorf("wrote %q", r.out)
			}
		})
	}
}

// An error names what was meant and where to look.
func TestUnknownNames(t *testing.T) {
	f := start(t)
	f.resources = resources(t, acme)
	router := "no router vbr-acm; did you mean vbr-acme? see `vbrctl show routers`\n"
	for args, want := range map[string]string{
		"explain 10.2.3.4 -r vbr-acm": router, "drain vbr-acm": router, "undrain vbr-acm": router, "reset -r vbr-acm": router,
		"show router vbr-acm": router, "show routers vbr-acme vbr-acm": router, "show sessions -r vbr-acm": router,
		"show router nothing":   "no router nothing; see `vbrctl show routers`\n",
		"get vbr vbr-acme2":     "no VirtualBorderRouter vbr-acme2; did you mean vbr-acme? see `vbrctl get vbr`\n",
		"get all vbr-acme pc-2": "no resource pc-2; did you mean pc-1? see `vbrctl get all`\n",
	} {
		f.vbrctl(t, strings.Fields(args)...).complain(t, exitFailed, want)
	}
	f.resources = append(f.resources, resources(t, strings.ReplaceAll(acme, "vbr-acme\n", "vbr-far\nhost: edge2\n"))...)
	for _, args := range []string{"show router vbr-far", "explain 10.2.3.4 -r vbr-far", "drill start --router vbr-far"} {
		f.vbrctl(t, strings.Fields(args)...).complain(t, exitFailed, "router vbr-far is on host edge2: ask the vbrd there\n")
	}
	f.fail = status.Error(codes.NotFound, `"RouterInterface/ri-x" not found`)
	f.vbrctl(t, "delete", "ri", "ri-x").complain(t, exitFailed, "no RouterInterface ri-x; see `vbrctl get ri`\n")
}

// Nothing is sent when a file is wrong.
func TestBadFile(t *testing.T) {
	f := start(t)
	r := f.stdin(t, acme+"speed: 9\n---\nkind: RouterInterface\nname: [x]\n", "apply", "-f", "-")
	r.complain(t, exitFailed, "stdin:9:1: document 2: VirtualBorderRouter/vbr-acme.speed: unknown key\n"+
		"stdin:12:7: document 3: RouterInterface/.name: not a single value\nvbrctl: 2 errors; nothing was sent\n")
	f.vbrctl(t, "apply", "-f", "/nowhere.yaml").complain(t, exitFailed, "stat /nowhere.yaml: no such file or directory\n")
	f.stdin(t, "# nothing\n", "apply", "-f", "-").complain(t, exitFailed, "there is no resource in the files\n")
	if len(f.asked) != 0 {
		t.Errorf("asked %v", f.asked)
	}
}
