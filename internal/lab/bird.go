package lab

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// BIRD is a bird of one namespace.
type BIRD struct {
	NS   *NS
	Proc *Proc
	ctl  string
}

// BIRD starts bird with a configuration.
func (n *NS) BIRD(conf string) *BIRD {
	n.lab.Helper()
	path := n.lab.File(n.Name+"-bird.conf", conf)
	b := &BIRD{NS: n, ctl: "/run/bird-" + n.Name + ".ctl"}
	_ = os.Remove(b.ctl)
	if out, err := n.Run("bird", "-p", "-c", path); err != nil {
		n.lab.Fatalf("bird's configuration: %v %s", err, out)
	}
	b.Proc = n.Start("bird", "-f", "-c", path, "-s", b.ctl, "-P", b.ctl+".pid")
	Eventually(n.lab, 10*time.Second, n.Name+": bird up", func() error {
		_, err := b.Birdc("show", "status")
		return err
	})
	return b
}

// Birdc runs one command of birdc, for the namespace's bird.
func (b *BIRD) Birdc(words ...string) (string, error) {
	return b.NS.Run(append([]string{"birdc", "-s", b.ctl}, words...)...)
}

// Established is nil when the protocol of that name is up.
func (b *BIRD) Established(protocol string) error {
	out, err := b.Birdc("show", "protocols", protocol)
	if err == nil && !strings.Contains(out, "Established") {
		err = fmt.Errorf("%s: bird: %s: %s", b.NS.Name, protocol, strings.TrimSpace(out))
	}
	return err
}
