package link

import (
	"os"
	"strings"
	"testing"
)

// The host's own addresses do not come before a VRF's table, whoever put them there, and cleanup leaves the rules as they were.
func TestVRFsComeFirst(t *testing.T) {
	m := inNamespace(t)
	before := map[string]string{"-4": ip(t, "-4 rule"), "-6": ip(t, "-6 rule")}
	check := func(when string) {
		t.Helper()
		for family := range before {
			rules := ip(t, family+" rule")
			vrf, local := strings.Index(rules, "[l3mdev-table]"), strings.Index(rules, "lookup local")
			if vrf < 0 || local < vrf || strings.Count(rules, "lookup local") != 1 {
				t.Errorf("%s: ip %s rule:\n%s", when, family, rules)
			}
		}
	}
	ensure(t, m, acme())
	check("first")
	for _, protocol := range []string{" protocol kernel", ""} { // somebody has the kernel's order again
		for family := range before {
			ip(t, family+" rule add pref 0 lookup local"+protocol)
			ip(t, family+" rule del pref 0 l3mdev")
		}
		ensure(t, m, acme())
		check("again," + protocol)
	}
	if _, err := m.Cleanup(); err != nil {
		t.Fatal(err)
	}
	for family, want := range before {
		if got := strings.Replace(ip(t, family+" rule"), "1000:\tfrom all lookup [l3mdev-table]\n", "", 1); got != want {
			t.Errorf("after cleanup ip %s rule:\n%sbefore:\n%s", family, got, want)
		}
	}
}

// An order that others made and that is right is left alone.
func TestOthersVRFRules(t *testing.T) {
	m := inNamespace(t)
	for _, family := range []string{"-4", "-6"} {
		ip(t, family+" rule add pref 32765 lookup local")
		ip(t, family+" rule del pref 0")
	}
	ensure(t, m, acme())
	for _, family := range []string{"-4", "-6"} {
		if rules := ip(t, family+" rule"); strings.HasPrefix(rules, "0:") || strings.HasPrefix(rules, "1:") {
			t.Errorf("ip %s rule:\n%s", family, rules)
		}
	}
	if _, err := m.Cleanup(); err != nil {
		t.Fatal(err)
	}
	if rules := ip(t, "rule"); !strings.Contains(rules, "32765:\tfrom all lookup local") {
		t.Errorf("after cleanup:\n%s", rules)
	}
}

// Sockets in no VRF hear nothing of one, though others set it so.
func TestSocketsStayInTheirVRF(t *testing.T) {
	m := inNamespace(t)
	settings := []string{"tcp_l3mdev_accept", "udp_l3mdev_accept", "raw_l3mdev_accept"}
	for _, s := range settings {
		if err := os.WriteFile("/proc/sys/net/ipv4/"+s, []byte("1"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ensure(t, m, acme())
	for _, s := range settings {
		if have, err := os.ReadFile("/proc/sys/net/ipv4/" + s); err != nil || strings.TrimSpace(string(have)) != "0" {
			t.Errorf("%s is %q, %v", s, have, err)
		}
	}
}
