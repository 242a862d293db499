package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
	"github.com/openvbr/openvbr/internal/lab/topo"
)

// twoRegions is the cloud topology with vbrd running on some of its hosts.
type twoRegions struct {
	*topo.Cloud
	t *testing.T
}

// newTwoRegions starts vbrd on hosts, gives each its resources and waits for the sessions.
func newTwoRegions(t *testing.T, hosts func(*topo.Cloud) []*topo.Host) *twoRegions {
	t.Helper()
	c := &twoRegions{topo.NewCloud(lab.New(t)), t}
	running := hosts(c.Cloud)
	for _, h := range c.Hosts() {
		out, err := h.Check(binary(t))
		if err != nil || !strings.HasPrefix(out, "ok: ") {
			t.Errorf("%s: vbrd --check: %v %s", h.Name, err, out)
		}
	}
	for _, h := range running {
		h.Start(binary(t))
		if out, err := h.Ctl("apply", "-f", h.Resources); err != nil {
			t.Fatalf("%s: apply: %v %s", h.Name, err, out)
		}
	}
	lab.Eventually(t, 40*time.Second, "all sessions up", func() error { return c.Sessions(running...) })
	return c
}

func edges(c *topo.Cloud) []*topo.Host { return []*topo.Host{c.Edge1, c.Edge2} }

// TestCloudEdges is the cloud topology without its gateway hosts: FRR as reflectors and as gateway, FRR and BIRD as customers.
func TestCloudEdges(t *testing.T) {
	c := newTwoRegions(t, edges)
	way := c.IDCWithFRR()
	lab.Eventually(t, 20*time.Second, "pings between the data centre and the VPC behind FRR's gateway", way.Ping)
	t.Run("customers learn the VPC", func(t *testing.T) {
		if err := c.Acme.Lines[0].Router.Learned(topo.FRRPrefix4); err != nil { // the other has it from this one, over the LAN
			t.Error(err)
		}
		lab.Eventually(t, 5*time.Second, "BIRD's route", func() error { return c.Acme.Lines[1].Router.Learned(topo.FRRPrefix6) })
	})
	t.Run("a reflector goes", c.testReflectorGoes)
}

// testReflectorGoes: what one reflector told, the other tells too. (Not the one of FRR's gateway, which has one only.)
func (c *twoRegions) testReflectorGoes(t *testing.T) {
	streams := c.IDCWithFRR().Duplex(lab.StreamOptions{})
	time.Sleep(500 * time.Millisecond)
	c.Reflectors[1].Kill()
	lab.Eventually(t, 15*time.Second, "the session of the two reflectors down", func() error {
		return absent(c.Reflectors[0].Established("l2vpn evpn", topo.ReflectorAddress(1)))
	})
	time.Sleep(time.Second)
	for _, s := range streams {
		if loss := s.Stop(); loss.Lost() > 0 {
			t.Error(loss)
		}
	}
	if err := c.IDCWithFRR().Ping(); err != nil {
		t.Error(err)
	}
}
