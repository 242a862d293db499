package systemd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
	"github.com/openvbr/openvbr/internal/lab/topo"
)

func TestMain(m *testing.M) { lab.Main(m, nil) }

const (
	// unit is the service's name.
	unit = "vbrd.service"
	// key is the customers' TCP MD5 key, which is a credential of the unit.
	key = "c4n4ry-k3y-0123"
	// dropIn changes the unit for a test.
	dropIn = "/run/systemd/system/vbrd.service.d/test.conf"
)

// edge is the topology with a machine as its edge host.
type edge struct {
	*topo.Topology
	t *testing.T
	m *lab.Machine
}

// built is the one file of that pattern below bin/, which make test-systemd has built.
func built(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob("../../../bin/" + pattern)
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("%d files are bin/%s; run `make test-systemd`", len(found), pattern)
	}
	if err != nil {
		t.Fatal(err)
	}
	path, err := filepath.Abs(found[0])
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// newEdge boots the edge host and installs the package.
func newEdge(t *testing.T) *edge {
	t.Helper()
	e := &edge{Topology: topo.FirstLight(lab.New(t), topo.Options{Reflector: true, Keys: key}), t: t}
	e.m = e.Edge.Boot()
	t.Cleanup(func() {
		if t.Failed() {
			journal := e.m.Journal(unit)
			t.Logf("%s\n%s", e.state(), journal[max(0, len(journal)-6000):])
		}
	})
	t.Logf("%s", e.m.MustRun("dpkg", "-i", built(t, "pack/deb/openvbr_*.deb")))
	return e
}

// state is what systemctl says of the unit.
func (e *edge) state() string {
	out, err := e.m.Run("systemctl", "show", "-p", "ActiveState,SubState,Result,NRestarts,StatusText,ExecMainStatus,MainPID", unit)
	return fmt.Sprint(out, errors.Join(err))
}

// configure puts settings, resources and keys to where an administrator would.
func (e *edge) configure() {
	text, err := os.ReadFile(e.Config)
	if err != nil {
		e.t.Fatal(err)
	}
	var settings []string
	for line := range strings.Lines(string(text)) { // without the places of a lab: the package's own are to do
		if !strings.HasPrefix(line, "resources:") && !strings.HasPrefix(line, "state_dir:") && !strings.HasPrefix(line, "api:") {
			settings = append(settings, line)
		}
	}
	e.m.File("/etc/vbrd/vbrd.yaml", strings.Join(settings, ""), "0644")
	for _, name := range []string{"port", "acme", "beta"} {
		text, err := os.ReadFile(filepath.Join(e.Resources, name+".yaml"))
		if err != nil {
			e.t.Fatal(err)
		}
		file := "auth_key_file: " + filepath.Join(e.Lab.Dir, "keys", name, "bgp")
		if name != "port" && !strings.Contains(string(text), file) {
			e.t.Fatalf("%s has no %q", name, file)
		}
		e.m.File("/etc/vbrd/resources.d/"+name+".yaml", strings.ReplaceAll(string(text), file, "key_credential: "+name+".bgp"), "0644")
	}
	for _, owner := range []string{"acme", "beta"} {
		e.m.File("/etc/vbrd/credentials/"+owner+".bgp", key+"\n", "0600")
	}
}

// restart restarts the unit, which returns once vbrd is ready.
func (e *edge) restart() { e.m.MustRun("systemctl", "restart", unit) }

// changeUnit puts lines into the unit's section Service; without any it is as the package has it.
func (e *edge) changeUnit(lines ...string) {
	e.t.Helper()
	if len(lines) == 0 {
		e.m.MustRun("rm", "-f", dropIn)
	} else {
		e.m.File(dropIn, "[Service]\n"+strings.Join(lines, "\n")+"\n", "0644")
	}
	e.m.MustRun("systemctl", "daemon-reload")
}

// up waits until all sessions are up and packets go both ways.
func (e *edge) up(t *testing.T) {
	t.Helper()
	e.WaitBGP(60 * time.Second)
	for _, c := range []*topo.Customer{e.Acme, e.Beta} {
		lab.Eventually(t, 20*time.Second, c.Name+"'s pings", c.PingBoth)
	}
}

// lossless has packets flow in both directions and families while f runs and all comes up again, and for a while after; none may be lost.
func (e *edge) lossless(t *testing.T, f func()) {
	t.Helper()
	o := lab.StreamOptions{Flows: 2, Interval: 50 * time.Millisecond}
	four := e.Acme.Host.Duplex(topo.VPCHost4, e.Acme.LAN, topo.IDCHost4, o)
	six := e.Beta.Host.Duplex(topo.VPCHost6, e.Beta.LAN, topo.IDCHost6, o)
	time.Sleep(time.Second)
	f()
	e.up(t)
	time.Sleep(2 * time.Second)
	for name, d := range map[string]*lab.Duplex{"acme, IPv4": four, "beta, IPv6": six} {
		loss := d.Stop()
		t.Logf("%s: %s", name, loss)
		if loss.Lost() > 0 || loss.There.Sent < 60 || loss.Back.Sent < 60 {
			t.Errorf("%s: %d packets lost", name, loss.Lost())
		}
	}
}

// ctl runs vbrctl on the edge host.
func (e *edge) ctl(args ...string) (string, error) {
	return e.m.Run(append([]string{"vbrctl"}, args...)...)
}

// restarts is how often systemd has started the unit by itself.
func (e *edge) restarts() string { return e.m.Property(unit, "NRestarts") }

// says waits until the unit's STATUS has that text.
func (e *edge) says(t *testing.T, limit time.Duration, text string) {
	t.Helper()
	lab.Eventually(t, limit, "STATUS "+text, func() error {
		if got := e.m.Property(unit, "StatusText"); !strings.Contains(got, text) {
			return fmt.Errorf("it is %q", got)
		}
		return nil
	})
}
