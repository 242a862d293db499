package lab

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"time"
)

// GoBGP is a gobgpd of one namespace: it speaks BGP and installs nothing.
type GoBGP struct {
	NS   *NS
	Proc *Proc
}

// gobgpAPI is where the gobgp client looks by itself.
const gobgpAPI = "127.0.0.1:50051"

// GoBGP starts gobgpd with a configuration in TOML.
func (n *NS) GoBGP(conf string) *GoBGP {
	n.lab.Helper()
	path := n.lab.File(n.Name+"-gobgpd.toml", conf)
	g := &GoBGP{NS: n, Proc: n.Start("gobgpd", "-f", path, "--api-hosts", gobgpAPI)}
	Eventually(n.lab, 20*time.Second, n.Name+": gobgpd up", func() error {
		if !g.Proc.Running() {
			return fmt.Errorf("ended:\n%s", g.Proc.Log())
		}
		return n.Do(func() error { // its client costs seconds in user-mode-linux
			conn, err := net.DialTimeout("tcp", gobgpAPI, time.Second)
			if err == nil {
				conn.Close()
			}
			return err
		})
	})
	return g
}

// Command runs one command of the gobgp client.
func (g *GoBGP) Command(words ...string) (string, error) {
	return g.NS.Run(append([]string{"gobgp"}, words...)...)
}

// gobgpEstablished is api.PeerState_ESTABLISHED.
const gobgpEstablished = 6

// Established is nil when the session to a neighbour is up.
func (g *GoBGP) Established(address string) error {
	out, err := g.Command("-j", "neighbor", address)
	if err != nil {
		return err
	}
	var n struct {
		State struct {
			SessionState int `json:"session_state"`
		} `json:"state"`
	}
	if err := json.NewDecoder(strings.NewReader(out)).Decode(&n); err != nil {
		return fmt.Errorf("%s: gobgp neighbor: %w: %s", g.NS.Name, err, out)
	}
	if n.State.SessionState != gobgpEstablished {
		return fmt.Errorf("%s: session to %s is in state %d", g.NS.Name, address, n.State.SessionState)
	}
	return nil
}
