package topo

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
)

// Host is a machine of the cloud topology that runs vbrd. All keep the resources in one etcd, which is empty at first.
type Host struct {
	Name, Region, VTEP string
	NS                 *lab.NS
	Config             string // vbrd's settings file
	Socket             string
	Vbrd               *lab.Proc // nil before Start

	lab    *lab.Lab
	vbrctl string // its binary, for all accounts
}

func (t *Cloud) host(name string, region, number int) *Host {
	h := &Host{Name: name, Region: fmt.Sprintf("r%d", region+1), VTEP: fmt.Sprint(regionNet(region), number), lab: t.Lab, NS: t.attach(name, region, number)}
	h.NS.Forward()
	h.NS.IP("addr add " + h.VTEP + "/32 dev lo")
	h.Socket = filepath.Join(t.Lab.Dir, name+".sock")
	h.Config = t.Lab.File(name+".yaml", h.settings(t.Lab.Dir))
	return h
}

func (h *Host) settings(dir string) string {
	var roles, peers strings.Builder
	for _, account := range []string{"acme", "beta", "carrier"} {
		fmt.Fprintf(&roles, "\n    - {match: \"uid:%d\", role: operator, owners: [%s]}", Accounts[account], account)
	}
	for i := range 2 {
		fmt.Fprintf(&peers, "\n    - {address: %s, asn: %d, hold: 9, keepalive: 3, connect_retry: 1}", ReflectorAddress(i), BackboneASN)
	}
	return fmt.Sprintf(`host: %s
state_dir: %s
store: {type: etcd, etcd: {endpoints: ['%s']}}
log: {level: info, format: text}
api:
  socket: %s
  socket_group: root
  rate: 1000
  roles:%s
backbone:
  asn: %d
  router_id: %s
  vtep: %s
  prefixes: [%s0/24, %s0/24]
  peers:%s
timers: {restart: 120s, deferral: 15s, stale: 60s, audit: 60s}
`, h.Name, filepath.Join(dir, "state-"+h.Name), storeURL, h.Socket, roles.String(), BackboneASN, h.VTEP, h.VTEP, Region1Net, Region2Net, peers.String())
}

// Start starts vbrd and waits until it serves; vbrctl is taken from beside it.
func (h *Host) Start(vbrd string) {
	h.lab.Helper()
	h.vbrctl = filepath.Join(h.lab.Dir, "vbrctl")
	if _, err := os.Stat(h.vbrctl); err != nil { // accounts may not be able to look where it was built
		text, err := os.ReadFile(filepath.Join(filepath.Dir(vbrd), "vbrctl"))
		if err == nil {
			err = os.WriteFile(h.vbrctl, text, 0o755)
		}
		if err != nil {
			h.lab.Fatalf("vbrctl: %v", err)
		}
	}
	h.Vbrd = h.NS.Start(vbrd, "--config", h.Config)
	lab.Eventually(h.lab, 10*time.Second, h.Name+"'s API", func() error {
		if !h.Vbrd.Running() {
			return fmt.Errorf("ended:\n%s", h.Vbrd.Log())
		}
		_, err := os.Stat(h.Socket)
		return err
	})
}

// Ctl runs vbrctl as the host's administrator and returns its output.
func (h *Host) Ctl(args ...string) (string, error) {
	return h.NS.Run(append([]string{h.vbrctl, "--socket", h.Socket}, args...)...)
}

// CtlAs runs vbrctl as one of Accounts.
func (h *Host) CtlAs(account string, args ...string) (string, error) {
	as := []string{"setpriv", "--reuid", fmt.Sprint(Accounts[account]), "--regid", "0", "--clear-groups", h.vbrctl, "--socket", h.Socket}
	return h.NS.Run(append(as, args...)...)
}

// Check runs `vbrd --check` on a folder of resources and returns its output.
func (h *Host) Check(vbrd, resources string) (string, error) {
	return h.NS.Run(vbrd, "--config", h.Config, "--resources", resources, "--check")
}
