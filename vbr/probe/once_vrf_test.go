//go:build vrf

package probe

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// behind puts a machine behind a tenant's: 10.9.0.2 and fd09::2, by a link that carries 1,400 bytes.
func behind(t *testing.T, vrf string) {
	t.Helper()
	for _, command := range []string{
		"ip netns add far", "ip -n NS link add far type veth peer name eth0 netns far", "ip -n NS link set far up mtu 1400", "ip -n far link set eth0 up mtu 1400",
		"ip -n NS addr add 10.9.0.1/24 dev far", "ip -n NS addr add fd09::1/64 dev far nodad", "ip -n far addr add 10.9.0.2/24 dev eth0", "ip -n far addr add fd09::2/64 dev eth0 nodad",
		"ip -n far route add default via 10.9.0.1", "ip -n far -6 route add default via fd09::1", "ip netns exec NS sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1",
		"ip route add 10.9.0.0/24 via 10.0.0.2 vrf VRF", "ip -6 route add fd09::/64 via fd00::2 vrf VRF", "ip route add unreachable 10.8.0.0/24 vrf VRF",
	} {
		run(t, strings.NewReplacer("NS", "ns-"+vrf, "VRF", vrf).Replace(command))
	}
	t.Cleanup(func() { run(t, "ip netns del far"); run(t, "ip route flush vrf "+vrf+" type unreachable") })
}

func TestVRFOnce(t *testing.T) {
	kinds(t, func(t *testing.T) {
		tenant(t, "vrf-a")
		behind(t, "vrf-a")
		time.Sleep(time.Second) // neighbours and forwarding
		for _, tt := range []struct {
			name, target, source string
			hops, size           int
			whole                bool
			want                 Outcome
			from, reason         string
			mtu                  int
		}{
			{"reply", "10.0.0.2", "", 0, 56, false, EchoReply, "10.0.0.2", "", 0},
			{"reply, IPv6", "fd00::2", "", 0, 56, false, EchoReply, "fd00::2", "", 0},
			{"reply from afar", "10.9.0.2", "10.0.0.1", 0, 56, false, EchoReply, "10.9.0.2", "", 0},
			{"a source of nobody's", "10.0.0.2", "10.0.0.99", 0, 56, false, SourceRefused, "", "", 0},
			{"first hop", "10.9.0.2", "", 1, 56, false, TimeExceeded, "10.0.0.2", "", 0},
			{"first hop, IPv6", "fd09::2", "", 1, 56, false, TimeExceeded, "fd00::2", "", 0},
			{"silence", "10.0.0.77", "", 0, 56, false, Lost, "", "", 0},
			{"no route here", "10.8.0.1", "", 0, 56, false, Unreachable, "", "no route to host", 0},
			{"nobody there", "10.9.0.9", "", 0, 56, false, Unreachable, "10.0.0.2", "host unreachable", 0},
			{"too big for the way", "10.9.0.2", "", 0, 1400, true, TooBig, "10.0.0.2", "", 1400},
			{"too big for the way, IPv6", "fd09::2", "", 0, 1400, true, TooBig, "fd00::2", "", 1400},
			{"just fits", "10.9.0.2", "", 0, 1372, true, EchoReply, "10.9.0.2", "", 0},
			{"just fits, IPv6", "fd09::2", "", 0, 1352, true, EchoReply, "fd09::2", "", 0},
			{"too big for the line", "10.9.0.2", "", 0, 3000, true, TooBig, "", "", 1500},
			{"too big for the line, IPv6", "fd09::2", "", 0, 3000, true, TooBig, "", "", 1500},
			{"in fragments", "10.9.0.2", "", 0, 3000, false, EchoReply, "10.9.0.2", "", 0},
		} {
			shot := Shot{Device: "vrf-a", Target: netip.MustParseAddr(tt.target), HopLimit: tt.hops, Size: tt.size, DontFragment: tt.whole}
			if tt.source != "" {
				shot.Source = netip.MustParseAddr(tt.source)
			}
			wait := 5 * time.Second
			if tt.want == Lost {
				wait = 300 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), wait)
			got, err := Once(ctx, shot)
			cancel()
			from := ""
			if got.From.IsValid() {
				from = got.From.String()
			}
			if err != nil || got.Outcome != tt.want || from != tt.from || !strings.Contains(got.Reason, tt.reason) || got.MTU != tt.mtu {
				t.Errorf("%s: %+v, %v", tt.name, got, err)
			}
			if tt.want == EchoReply && (got.RTT <= 0 || got.RTT > 2*time.Second) {
				t.Errorf("%s: round trip %v", tt.name, got.RTT)
			}
		}
	})
}
