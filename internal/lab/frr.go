package lab

import (
	"encoding/json"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Where Debian's frr keeps its daemons and sockets. Each namespace is a
// "pathspace" of FRR's (-N): `vtysh -N NAMESPACE` reaches it by hand.
const (
	frrDaemons = "/usr/lib/frr"
	frrRun     = "/run/frr"
	frrEtc     = "/etc/frr"
)

// FRR is the daemons of one namespace.
type FRR struct {
	NS    *NS
	Procs map[string]*Proc // by daemon
}

// FRR starts zebra and the other daemons named (default bgpd and staticd)
// with an integrated configuration; BFD needs "bfdd" among them.
func (n *NS) FRR(conf string, daemons ...string) *FRR {
	n.lab.Helper()
	if len(daemons) == 0 {
		daemons = []string{"bgpd", "staticd"}
	}
	f := &FRR{NS: n, Procs: map[string]*Proc{}}
	if err := f.folders(); err != nil {
		n.lab.Fatalf("%s: frr: %v", n.Name, err)
	}
	f.StartDaemon("zebra")
	for _, d := range daemons {
		f.StartDaemon(d)
	}
	if err := f.Load(conf); err != nil {
		n.lab.Fatalf("%v", err)
	}
	return f
}

// folders makes those of the pathspace, for FRR's own user.
func (f *FRR) folders() error {
	u, err := user.Lookup("frr")
	if err != nil {
		return fmt.Errorf("not installed; run internal/lab/install.sh: %w", err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	for _, dir := range []string{frrRun, filepath.Join(frrRun, f.NS.Name), frrEtc, filepath.Join(frrEtc, f.NS.Name), "/var/tmp/frr"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := os.Chown(dir, uid, gid); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(frrEtc, f.NS.Name, "vtysh.conf"), nil, 0o644)
}

// StartDaemon starts one daemon and waits until it listens to vtysh; bgpd
// started so has no configuration yet (Load).
func (f *FRR) StartDaemon(name string) *Proc {
	l := f.NS.lab
	l.Helper()
	vty := filepath.Join(frrRun, f.NS.Name, name+".vty")
	_ = os.Remove(vty)
	args := []string{filepath.Join(frrDaemons, name), "-N", f.NS.Name, "-f", "/dev/null",
		"-i", filepath.Join(frrRun, f.NS.Name, name+".pid"), "--log", "stdout", "--log-level", "informational"}
	switch name {
	case "bgpd":
		args = append(args, "-A", "127.0.0.1")
	case "zebra":
		args = append(args, "-s", "4194304") // netlink receive buffer
	}
	p := f.NS.Start(args...)
	f.Procs[name] = p
	Eventually(l, 20*time.Second, f.NS.Name+": "+name+" up", func() error {
		if !p.Running() {
			return fmt.Errorf("ended:\n%s", p.Log())
		}
		_, err := os.Stat(vty)
		return err
	})
	return p
}

// Load runs an integrated configuration (as in frr.conf): each block, a line
// and the indented ones below it, goes to all daemons, and one must take it.
// (vtysh -f does the same in 30 times the time inside user-mode-linux.)
func (f *FRR) Load(conf string) error {
	f.NS.lab.File(f.NS.Name+"-frr.conf", conf)
	for _, block := range blocks(conf) {
		var refused error
		taken := false
		for daemon := range f.Procs {
			_, err := f.Ask(daemon, append([]string{"configure terminal"}, block...)...)
			taken = taken || err == nil
			if err != nil && (refused == nil || daemon == "bgpd") { // the likeliest addressee
				refused = err
			}
		}
		if !taken {
			return fmt.Errorf("frr: %q: %w", block[0], refused)
		}
	}
	return nil
}

// blocks cuts a configuration before each line that is not indented, but for
// those that end a block.
func blocks(conf string) [][]string {
	var all [][]string
	for line := range strings.Lines(conf) {
		word := strings.TrimSpace(line)
		switch {
		case word == "" || word[0] == '!':
		case len(all) > 0 && (line[0] == ' ' || strings.HasPrefix(line, "exit")):
			all[len(all)-1] = append(all[len(all)-1], word)
		default:
			all = append(all, []string{word})
		}
	}
	return all
}

// Vtysh runs commands and returns what they print; a refused command is an
// error.
func (f *FRR) Vtysh(cmds ...string) (string, error) {
	args := []string{"vtysh", "-N", f.NS.Name}
	for _, c := range cmds {
		args = append(args, "-c", c)
	}
	out, err := f.NS.Run(args...)
	return out, f.refused(strings.Join(cmds, "; "), out, err)
}

// Configure runs commands in configuration mode, on all daemons they concern.
func (f *FRR) Configure(cmds ...string) error {
	_, err := f.Vtysh(append([]string{"configure terminal"}, cmds...)...)
	return err
}

// VtyshJSON runs a command that prints JSON.
func (f *FRR) VtyshJSON(v any, cmd string) error {
	out, err := f.Vtysh(cmd)
	return f.decode(v, cmd, out, err)
}

func (f *FRR) decode(v any, cmd, out string, err error) error {
	if err == nil {
		err = json.Unmarshal([]byte(out), v)
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w: %s", f.NS.Name, cmd, err, out)
	}
	return nil
}

// refused finds vtysh's complaints, which it prints and then exits with 0.
func (f *FRR) refused(what, out string, err error) error {
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "% ") && err == nil || strings.Contains(line, "Failure to communicate") {
			err = fmt.Errorf("%s: %s", what, strings.TrimSpace(line))
		}
	}
	if err != nil {
		return fmt.Errorf("%s: frr: %w", f.NS.Name, err)
	}
	return nil
}

// Peer is a line of `show bgp ... summary`.
type Peer struct {
	State    string `json:"state"`
	PfxRcd   int    `json:"pfxRcd"`
	PfxSnt   int    `json:"pfxSnt"`
	RemoteAS uint32 `json:"remoteAs"`
	UptimeMs int64  `json:"peerUptimeMsec"`
	Dropped  int    `json:"connectionsDropped"`
	Made     int    `json:"connectionsEstablished"`
}

// Peer returns a neighbour's state in a family ("ipv4 unicast", "l2vpn evpn").
func (f *FRR) Peer(family, address string) (Peer, error) {
	var summary struct {
		Peers map[string]Peer `json:"peers"`
	}
	const show = "show bgp %s summary json"
	out, err := f.Ask("bgpd", fmt.Sprintf(show, family))
	if err := f.decode(&summary, fmt.Sprintf(show, family), out, err); err != nil {
		return Peer{}, err
	}
	p, ok := summary.Peers[address]
	if !ok {
		return Peer{}, fmt.Errorf("%s: frr: no neighbour %s in %s", f.NS.Name, address, family)
	}
	return p, nil
}

// Established is nil when the session is up.
func (f *FRR) Established(family, address string) error {
	p, err := f.Peer(family, address)
	if err == nil && p.State != "Established" {
		err = fmt.Errorf("%s: session to %s is %s", f.NS.Name, address, p.State)
	}
	return err
}

// Kill ends all daemons by SIGKILL, as a crash would.
func (f *FRR) Kill() {
	for _, p := range f.Procs {
		p.Kill()
	}
}
