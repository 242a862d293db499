package admin

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// output is the file that processes write to: what was written before a call is answered is there when the answer is.
type output struct {
	t    *testing.T
	file *os.File
}

func newOutput(t *testing.T) *output {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(t.TempDir(), "output"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return &output{t, f}
}

// since is what was written after the first n bytes.
func (o *output) since(n int64) string {
	o.t.Helper()
	text, err := io.ReadAll(io.NewSectionReader(o.file, n, math.MaxInt64-n))
	if err != nil {
		o.t.Fatal(err)
	}
	return string(text)
}

func (o *output) String() string { return o.since(0) }

func (o *output) len() int64 {
	o.t.Helper()
	info, err := o.file.Stat()
	if err != nil {
		o.t.Fatal(err)
	}
	return info.Size()
}

// start starts a process that ends with the test.
func start(t *testing.T, o *output, words ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Stdout, cmd.Stderr = o.file, o.file
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%q: %v; internal/lab/install.sh installs what is needed", words, err)
	}
	t.Cleanup(func() { end(cmd) })
	return cmd
}

// end kills a process, which may have ended already.
func end(cmd *exec.Cmd) {
	if cmd.ProcessState == nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// edge is a host with a network namespace and a vbrd.
type edge struct {
	t    *testing.T
	host string // also the namespace's name
	dir  string // settings, resources.d, state, sock
	log  *output
	cmd  *exec.Cmd
}

// newEdge makes the host, with a line eth1 to a customer's namespace ("idc-" and its name); more are settings.
func newEdge(t *testing.T, host, more string) *edge {
	t.Helper()
	e := &edge{t: t, host: host, dir: t.TempDir(), log: newOutput(t)}
	ip(t, "netns add "+host, "netns add idc-"+host)
	t.Cleanup(func() { ip(t, "netns del "+host, "netns del idc-"+host) })
	ip(t, "-n "+host+" link set lo up", "link add eth1 netns "+host+" type veth peer name eth0 netns idc-"+host,
		"-n "+host+" link set eth1 up", "-n idc-"+host+" link set eth0 up", "-n idc-"+host+" addr add 10.0.0.2/24 dev eth0")
	put(t, e.path("vbrd.yaml"), fmt.Sprintf("host: %s\nresources: %s/resources.d\nstate_dir: %[2]s/state\nkey_dir: %[2]s/keys\nlog: {level: debug, format: json}\n"+
		"api: {socket: %[2]s/sock, rate: 1000}\ntimers: {stale: 20s, deferral: 10s}\n%[3]s", host, e.dir, more))
	put(t, e.path("resources.d/README"), "empty\n")
	t.Cleanup(func() {
		text := e.log.String()
		for _, never := range []string{"panic", "DATA RACE", "fatal error"} { // DATA RACE of a vbrd built with -race
			if at := strings.Index(text, never); at >= 0 {
				t.Errorf("%s logged:\n%s", host, text[at:min(len(text), at+4<<10)])
			}
		}
		if t.Failed() {
			t.Logf("log of %s:\n%s", host, text[max(0, len(text)-8<<10):])
		}
	})
	return e
}

func (e *edge) path(name string) string { return filepath.Join(e.dir, name) }

// start starts vbrd and waits until it answers.
func (e *edge) start() {
	e.t.Helper()
	e.cmd = start(e.t, e.log, "ip", "netns", "exec", e.host, binary(e.t, "vbrd"), "--config", e.path("vbrd.yaml"))
	eventually(e.t, e.host+" answers", func() error {
		if _, err := e.try("show", "host"); err != nil {
			if e.cmd.Process.Signal(syscall.Signal(0)) != nil {
				e.t.Fatal("vbrd has ended")
			}
			return err
		}
		return nil
	})
}

// kill is kill -9.
func (e *edge) kill() { end(e.cmd) }

// try runs vbrctl; an error has what it wrote.
func (e *edge) try(args ...string) (string, error) { return e.tryAs(root, args...) }

func (e *edge) tryAs(who person, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	words := e.vbrctl(who, args...)
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("vbrctl %q: %w: %s%s", args, err, stdout.String(), stderr.String())
	}
	return stdout.String(), nil
}

// ctl is try where an error ends the test.
func (e *edge) ctl(args ...string) string {
	e.t.Helper()
	out, err := e.try(args...)
	if err != nil {
		e.t.Fatal(err)
	}
	return out
}

// read has vbrctl write JSON and returns the message.
func read[M proto.Message](e *edge, m M, args ...string) M {
	e.t.Helper()
	text := e.ctl(append(args, "-o", "json")...)
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal([]byte(text), m); err != nil {
		e.t.Fatalf("vbrctl %q: %v:\n%s", args, err, text)
	}
	return m
}

func (e *edge) status() *vbrv1.GetHostResponse {
	return read(e, &vbrv1.GetHostResponse{}, "show", "host")
}

func (e *edge) resources() []*vbrv1.Resource {
	return read(e, &vbrv1.ListResponse{}, "get", "all").Resources
}

func (e *edge) routers() []*vbrv1.RouterStatus {
	return read(e, &vbrv1.ListRoutersResponse{}, "show", "routers").Routers
}

func (e *edge) sessions() []*vbrv1.BgpSession {
	return read(e, &vbrv1.ListSessionsResponse{}, "show", "sessions").Sessions
}

// apply applies YAML and returns vbrctl's error.
func (e *edge) apply(name, yaml string, args ...string) error {
	e.t.Helper()
	_, err := e.try(append([]string{"apply", "-f", put(e.t, e.path(name), yaml)}, args...)...)
	return err
}

// mustApply applies YAML.
func (e *edge) mustApply(name, yaml string, args ...string) {
	e.t.Helper()
	if err := e.apply(name, yaml, args...); err != nil {
		e.t.Fatal(err)
	}
}

// ip runs ip(8) on the host.
func (e *edge) ip(args string) string {
	e.t.Helper()
	return run(e.t, "ip -n "+e.host+" "+args)
}

// acme is the customer's VBR, with one session to its BIRD; more are fields of the VBR.
func acme(more string) string {
	return `kind: PhysicalConnection
name: pc-1
device: eth1
---
kind: VirtualBorderRouter
name: vbr-acme
owner: acme
physical_connection_id: pc-1
vrf: default
local_gateway_ip: 10.0.0.1
peer_gateway_ip: 10.0.0.2
peering_subnet_mask: /24
` + more
}

const onePeer = "bgp_peers: [{peer_ip_address: 10.0.0.2, peer_asn: 65001, connect_retry: 1}]\n"

// bird starts the customer's router, which announces 172.16.1.0/24; key is its MD5 key, or "".
func (e *edge) bird(key string) {
	e.t.Helper()
	if key != "" {
		key = fmt.Sprintf("password %q;", key)
	}
	conf := put(e.t, e.path("bird.conf"), `log stderr { warning, error, fatal };
router id 10.0.0.2;
protocol device { scan time 1; }
protocol static lan { ipv4; route 172.16.1.0/24 unreachable; }
protocol bgp edge { local 10.0.0.2 as 65001; neighbor 10.0.0.1 as 45104; graceful restart on; ttl security on; hold time 240;
  connect delay time 1; connect retry time 1; error wait time 1, 2; `+key+`
  ipv4 { import none; export all; }; }
`)
	start(e.t, e.log, "ip", "netns", "exec", "idc-"+e.host, "bird", "-f", "-c", conf, "-s", e.path("bird.ctl"), "-P", e.path("bird.pid"))
}

// up is nil when the session with the customer's BIRD is, and its route is in the kernel.
func (e *edge) up() error {
	out, err := e.try("show", "sessions", "-o", "json")
	if err != nil {
		return err
	}
	if err := has(out, `"established"`); err != nil {
		return err
	}
	return has(e.ip("route show proto 86"), "172.16.1.0/24")
}

// since is when the session with 10.0.0.2 came up.
func (e *edge) since() time.Time {
	e.t.Helper()
	for _, s := range e.sessions() {
		if s.PeerIpAddress == "10.0.0.2" {
			return s.Since.AsTime()
		}
	}
	e.t.Fatal("there is no session with 10.0.0.2")
	return time.Time{}
}

// follow tells what ip monitor sees on the host from now on: "route", "address".
func (e *edge) follow(what string) *output {
	e.t.Helper()
	o := newOutput(e.t)
	start(e.t, o, "ip", "-n", e.host, "monitor", what)
	mark := fmt.Sprintf("192.0.2.%d", 100+time.Now().UnixNano()%100)
	eventually(e.t, "ip monitor watches", func() error { // begun when it tells of a change of ours
		e.ip("addr replace " + mark + "/32 dev lo")
		e.ip("addr del " + mark + "/32 dev lo")
		return has(o.String(), mark)
	})
	return o
}
