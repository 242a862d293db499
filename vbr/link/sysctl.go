package link

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/openvbr/openvbr/internal/fault"
)

// hygiene sets a device up as a router's towards strangers: it forwards, believes no router advertisement or
// redirect, answers ARP only for its own address, drops packets with impossible sources, and sends IPv6 with
// the hop limit that GTSM expects (RFC 5082). On one of several alternative ways a packet may come back over
// another than the one it left by (RFC 3704 2.4).
func (m *Manager) hygiene(r Router, device string, alternatives bool) error {
	reverse := "1"
	if alternatives {
		reverse = "2"
	}
	return setAll(r.Name, m, [][2]string{
		{"ipv4/conf/" + device + "/forwarding", "1"},
		{"ipv4/conf/" + device + "/accept_redirects", "0"},
		{"ipv4/conf/" + device + "/send_redirects", "0"},
		{"ipv4/conf/" + device + "/proxy_arp", "0"},
		{"ipv4/conf/" + device + "/arp_ignore", "1"},
		{"ipv4/conf/" + device + "/arp_announce", "2"},
		{"ipv4/conf/" + device + "/rp_filter", reverse},
		{"ipv6/conf/" + device + "/accept_ra", "0"},
		{"ipv6/conf/" + device + "/accept_redirects", "0"},
		{"ipv6/conf/" + device + "/hop_limit", "255"},
		{"ipv6/conf/" + device + "/keep_addr_on_down", "1"},
	})
}

// manyInterfaces says whether the router has several router interfaces, and so perhaps two ways to a place.
func (r *Router) manyInterfaces() bool { return len(r.Tunnels)+len(r.Pairs) > 1 }

// noLinkLocal keeps the device without an IPv6 link-local address (IN6_ADDR_GEN_MODE_NONE). It comes before the device is up.
func (m *Manager) noLinkLocal(r Router, device string) error {
	return setAll(r.Name, m, [][2]string{{"ipv6/conf/" + device + "/addr_gen_mode", "1"}})
}

// EnsureHost sets what only the whole namespace can have: IPv6 forwarding and no redirects. What concerns VRFs closeVRFs does.
func (m *Manager) EnsureHost() error {
	return setAll("", m, [][2]string{
		{"ipv6/conf/all/forwarding", "1"},
		{"ipv4/conf/all/send_redirects", "0"},
	})
}

// setAll writes the settings that differ. A read-only /proc/sys is reported once by name; a
// setting the kernel does not have (no IPv6, no VRF) is skipped.
func setAll(router string, m *Manager, settings [][2]string) error {
	var errs []error
	for _, s := range settings {
		file := "/proc/sys/net/" + s[0]
		have, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) || err == nil && strings.TrimSpace(string(have)) == s[1] {
			continue
		}
		if err == nil {
			err = fault.Around("link.sysctl", func() error { return os.WriteFile(file, []byte(s[1]), 0o644) })
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("sysctl net.%s=%s: %w", strings.ReplaceAll(s[0], "/", "."), s[1], err))
			continue
		}
		m.log.Debug("sysctl set", "router", router, "sysctl", s[0], "was", strings.TrimSpace(string(have)), "now", s[1])
	}
	return errors.Join(errs...)
}
