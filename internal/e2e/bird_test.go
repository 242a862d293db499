package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/lab/topo"
)

// TestBIRD is the main job with BIRD at the customers, and TCP MD5 keys on every session; over kill -9 and a planned restart no packet is lost.
func TestBIRD(t *testing.T) {
	const canary = "canary-Key/7fA!"
	w := newWorld(t, topo.Options{BIRD: true, Keys: canary, Reflector: true})
	for _, c := range w.customers() {
		for _, p := range []string{topo.IDCPrefix4, topo.IDCPrefix6, topo.IDCPrefix4B, topo.IDCPrefix6B} {
			w.eventually(5*time.Second, c.Name+": "+p, func() error { return w.kernelHas(c, p) })
			w.eventually(5*time.Second, c.Name+"'s gateway: "+p, func() error { return c.GatewayHas(p) })
		}
		for _, ln := range c.Lines {
			for _, p := range []string{topo.VPCPrefix4, topo.VPCPrefix6} {
				w.eventually(5*time.Second, "the customer: "+p, func() error { return ln.Router.Learned(p) })
			}
		}
	}
	for _, p := range []string{topo.IDCPrefix4, topo.IDCPrefix6} {
		w.eventually(10*time.Second, "both lines", w.wantNextHops(p, 2))
	}
	t.Run("withdraw", w.testWithdrawCustomer)
	t.Run("kill and adopt", w.testKillAndAdopt)
	t.Run("term and adopt", w.testTermAndAdopt)
	t.Run("key", func(t *testing.T) { w.wantNoKey(t, canary) })
}

// wantNoKey fails when the key is anywhere that vbrd writes to.
func (w *world) wantNoKey(t *testing.T, canary string) {
	if !strings.Contains(w.vbrd.Log(), "session up") {
		t.Errorf("the log says nothing of sessions")
	}
	if strings.Contains(w.vbrd.Log(), canary) {
		t.Error("the key is in the log")
	}
	_ = filepath.WalkDir(w.StateDir, func(path string, _ os.DirEntry, _ error) error {
		if b, err := os.ReadFile(path); err == nil && strings.Contains(string(b), canary) {
			t.Errorf("the key is in %s", path)
		}
		return nil
	})
}
