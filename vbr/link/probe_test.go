package link

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// What the kernel lacks is told by its option's name, with what to do.
func TestExplain(t *testing.T) {
	for _, tt := range []struct {
		kind string
		err  error
		want []string
	}{
		{"vrf", unix.EOPNOTSUPP, []string{"CONFIG_NET_VRF", "modprobe vrf"}},
		{"vlan", fmt.Errorf("VLAN 100 on eth1: %w", unix.EOPNOTSUPP), []string{"CONFIG_VLAN_8021Q", "modprobe 8021q", "VLAN 100 on eth1"}},
		{"vxlan", unix.EOPNOTSUPP, []string{"CONFIG_VXLAN"}},
		{"802.1ad", unix.EOPNOTSUPP, []string{"CONFIG_VLAN_8021Q"}},
		{"mirred", unix.ENOENT, []string{"cannot make mirred actions", "CONFIG_NET_ACT_MIRRED"}},
		{"vrf", unix.EPERM, []string{"CAP_NET_ADMIN"}},
		{"vrf", unix.EBUSY, []string{"device or resource busy"}},
	} {
		err := explain(tt.kind, tt.err)
		for _, w := range tt.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("explain(%s, %v) = %q, want %q in it", tt.kind, tt.err, err, w)
			}
		}
		if !errors.Is(err, tt.err) && !errors.Is(err, errors.Unwrap(tt.err)) {
			t.Errorf("explain(%s, %v) hides the errno", tt.kind, tt.err)
		}
	}
}

// A kernel says EOPNOTSUPP to a kind it does not know: the probe tells that from a kind it knows.
func TestSupports(t *testing.T) {
	m := inNamespace(t)
	if err := m.Supports("nosuchkind"); !errors.Is(err, unix.EOPNOTSUPP) {
		t.Errorf("unknown kind: %v", err)
	}
	before := picture(t)
	for _, kind := range []string{"vrf", "vlan", "802.1ad", "vxlan", "bridge", "veth", "ifb", "tbf", "mirred"} {
		if err := m.Supports(kind); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff(before, picture(t)); diff != "" {
		t.Errorf("the probes made something (-before +after):\n%s", diff)
	}
}
