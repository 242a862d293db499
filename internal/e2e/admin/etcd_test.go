package admin

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// names of the routers that run on a host.
func (e *edge) names() (out []string) {
	e.t.Helper()
	for _, r := range e.routers() {
		out = append(out, r.Name)
	}
	return out
}

// fleet is an etcd, and two edges that reach it.
type fleet struct {
	t          *testing.T
	one, two   *edge
	etcdArgs   []string
	etcd       *exec.Cmd
	etcdOutput *output
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{t: t, etcdOutput: newOutput(t), etcdArgs: []string{"etcd", "--data-dir", t.TempDir() + "/data", "--logger", "zap", "--log-level", "error",
		"--listen-client-urls", "http://192.0.2.1:2379,http://192.0.2.5:2379", "--advertise-client-urls", "http://192.0.2.1:2379",
		"--listen-peer-urls", "http://127.0.0.1:2380", "--initial-advertise-peer-urls", "http://127.0.0.1:2380", "--initial-cluster", "default=http://127.0.0.1:2380"}}
	for i, host := range []string{"edge1", "edge2"} {
		server, client := fmt.Sprintf("192.0.2.%d", 4*i+1), fmt.Sprintf("192.0.2.%d", 4*i+2)
		e := newEdge(t, host, fmt.Sprintf("store: {type: etcd, etcd: {endpoints: ['http://%s:2379'], timeout: 2s}}\n", server))
		ip(t, "link add to-"+host+" type veth peer name eth0 netns "+host, "addr add "+server+"/30 dev to-"+host, "link set to-"+host+" up",
			"-n "+host+" addr add "+client+"/30 dev eth0", "-n "+host+" link set eth0 up")
		e.bird("")
		if i == 0 {
			f.one = e
		} else {
			f.two = e
		}
	}
	f.startEtcd()
	f.one.start()
	f.two.start()
	return f
}

func (f *fleet) startEtcd() {
	f.t.Helper()
	f.etcd = start(f.t, f.etcdOutput, f.etcdArgs...)
}

// of is acme's VBR under another name and on a host.
func of(host, name, more string) string {
	text := strings.NewReplacer("vbr-acme", "vbr-"+name, "owner: acme", "owner: "+name, "pc-1", "pc-"+host).Replace(acme(more))
	return strings.ReplaceAll(text, "name: ", "host: "+host+"\nname: ")
}

// Two hosts on one etcd run what is theirs. Without etcd both go on, a restarted one too; when it is back they follow again.
func TestEtcdGone(t *testing.T) {
	f := newFleet(t)
	one, two := f.one, f.two
	one.mustApply("all.yaml", of("edge1", "acme", onePeer)+"---\n"+of("edge2", "beta", onePeer))
	for _, e := range []*edge{one, two} {
		eventually(t, e.host+": the session and its route", e.up)
		eventually(t, e.host+": without problems", e.settled(1))
		if n := len(e.resources()); n != 4 {
			t.Errorf("%s: %d resources, want all 4", e.host, n)
		}
	}
	if a, b := one.names(), two.names(); !slices.Equal(a, []string{"vbr-acme"}) || !slices.Equal(b, []string{"vbr-beta"}) {
		t.Fatalf("edge1 runs %q, edge2 %q", a, b)
	}
	before, since := one.resources(), one.since()

	end(f.etcd)
	for _, e := range []*edge{one, two} {
		eventually(t, e.host+" tells of etcd", func() error {
			return has(strings.Join(e.status().Problems, "\n"), "etcd http://192.0.2.", "does not work since")
		})
	}
	err := one.apply("acme.yaml", of("edge1", "acme", onePeer+"description: refused\n"))
	if err == nil {
		t.Fatal("taken without etcd")
	}
	if err := has(err.Error(), "exit status 1", "etcd http://192.0.2.1:2379"); err != nil {
		t.Error(err)
	}
	if err := audited(one.log.String(), "ResourceService/Apply", `"code":"Unavailable"`); err != nil {
		t.Error(err)
	}
	routes := two.follow("route")
	two.kill()
	two.start()
	for _, e := range []*edge{one, two} {
		if err := sameResources(e.resources(), before); err != nil {
			t.Errorf("%s without etcd: %v", e.host, err)
		}
		eventually(t, e.host+" without etcd: the session and its route", e.up)
	}
	if !one.since().Equal(since) || !slices.Equal(two.names(), []string{"vbr-beta"}) {
		t.Errorf("edge1's session is up since %v, was %v; edge2 runs %q", one.since(), since, two.names())
	}

	f.startEtcd()
	for _, e := range []*edge{one, two} {
		eventually(t, e.host+" has etcd again", e.settled(1))
	}
	second := strings.Replace(onePeer, "]", ", {peer_ip_address: 10.0.0.3, peer_asn: 65003}]", 1)
	one.mustApply("beta.yaml", of("edge2", "beta", second))
	eventually(t, "edge2 follows", func() error {
		if n := len(two.sessions()); n != 2 {
			return fmt.Errorf("%d sessions", n)
		}
		return nil
	})
	for _, e := range []*edge{one, two} {
		eventually(t, e.host+" runs the second revision", e.settled(2))
		if err := e.up(); err != nil {
			t.Error(err)
		}
	}
	if !one.since().Equal(since) {
		t.Errorf("edge1's session is up since %v, was %v", one.since(), since)
	}
	if strings.Contains(routes.String(), "Deleted 172.16.1.0/24") {
		t.Errorf("edge2's route went:\n%s", routes)
	}
}
