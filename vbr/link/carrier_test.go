package link

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// A port has a carrier while its other end is up.
func TestCarrier(t *testing.T) {
	m := inNamespace(t)
	for _, step := range []struct {
		do   string
		want bool
	}{{"link set lo up", true}, {"link set peer-eth0 down", false}, {"link set peer-eth0 up", true}, {"link set eth0 down", false}} {
		ip(t, step.do)
		if got, err := m.Carrier("eth0"); err != nil || got != step.want {
			t.Errorf("after %s: carrier %v, %v", step.do, got, err)
		}
	}
	if _, err := m.Carrier("eth9"); !errors.Is(err, unix.ENODEV) {
		t.Errorf("a device that does not exist: %v", err)
	}
}
