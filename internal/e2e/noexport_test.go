package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/lab/topo"
)

// testNoExport: what the VPC's gateway marks NO_EXPORT (RFC 1997) is in the kernel, and the customer, of another AS, is not told of it until the mark is gone.
// Who asks is told why.
func (w *world) testNoExport(t *testing.T) {
	const prefix = "10.102.0.0/16"
	mark := func(route string) {
		if err := w.Acme.FRR.Configure("route-map KEEP permit 10", "set community no-export", "exit",
			fmt.Sprintf("router bgp %d vrf %s", topo.BackboneASN, topo.VRF), "address-family ipv4 unicast", route); err != nil {
			t.Fatal(err)
		}
	}
	explained := func(want string) func() error {
		return func() error {
			out, err := w.Vbrctl(binary(t), "explain", prefix, "-r", "vbr-acme")
			if err == nil && !strings.Contains(out, want) {
				err = fmt.Errorf("no %q:\n%s", want, out)
			}
			return err
		}
	}
	router := w.Acme.Lines[0].Router
	mark("network " + prefix + " route-map KEEP")
	w.eventually(10*time.Second, "the marked prefix in the kernel", func() error { return w.kernelHas(w.Acme, prefix) })
	w.eventually(5*time.Second, "its explanation", explained("it has NO_EXPORT (RFC 1997): it is for no neighbour of another AS"))
	time.Sleep(time.Second)
	if err := absent(router.Learned(prefix)); err != nil {
		t.Errorf("%s, marked NO_EXPORT, at the customer: %v", prefix, err)
	}
	mark("network " + prefix)
	w.eventually(10*time.Second, "the prefix without the mark", func() error { return router.Learned(prefix) })
	mark("network " + prefix + " route-map KEEP")
	w.eventually(10*time.Second, "the prefix leaving the customer", func() error { return absent(router.Learned(prefix)) })
	if err := w.kernelHas(w.Acme, prefix); err != nil {
		t.Error(err)
	}
	mark("no network " + prefix)
	w.eventually(10*time.Second, "the prefix leaving", func() error { return absent(w.kernelHas(w.Acme, prefix)) })
}
