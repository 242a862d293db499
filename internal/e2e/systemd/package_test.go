package systemd

import (
	"strings"
	"testing"
)

// TestPackage is the package's life on an edge host that serves: installed, upgraded, removed, purged.
func TestPackage(t *testing.T) {
	e := newEdge(t)
	e.configure()
	e.restart()
	e.up(t)
	t.Run("upgrade", e.testUpgrade)
	t.Run("remove", e.testRemove)
	t.Run("purge", e.testPurge)
}

// testUpgrade: dpkg has the new version take over, with the administrator's settings, and no packet is lost.
func (e *edge) testUpgrade(t *testing.T) {
	settings := e.m.MustRun("cat", "/etc/vbrd/vbrd.yaml")
	pid := e.m.Property(unit, "MainPID")
	e.lossless(t, func() { e.m.MustRun("dpkg", "-i", built(t, "pack/next/openvbr_*.deb")) })
	if e.m.Property(unit, "MainPID") == pid {
		t.Error("the old vbrd runs on")
	}
	for _, binary := range []string{"vbrd", "vbrctl"} {
		if out := e.m.MustRun(binary, "--version"); !strings.HasPrefix(out, binary+" 9.0.0 (commit ") || strings.Contains(out, "unknown") {
			t.Errorf("%s", out)
		}
	}
	if out, err := e.ctl("show", "host"); err != nil || !strings.Contains(out, "9.0.0") {
		t.Errorf("%v: the one that runs is not the new one:\n%s", err, out)
	}
	if e.m.MustRun("cat", "/etc/vbrd/vbrd.yaml") != settings {
		t.Error("the settings are others")
	}
}

// testRemove: nothing of vbrd's is left in the kernel; what it knows and what the administrator has written is.
func (e *edge) testRemove(t *testing.T) {
	e.Edge.IP("route add 203.0.113.0/24 via 192.0.2.11")
	e.m.MustRun("dpkg", "-r", "openvbr")
	for what, args := range map[string][]string{
		"devices": {"ip", "-o", "link", "show", "group", "8686"}, "routes": {"ip", "route", "show", "table", "all", "proto", "86"},
		"nexthop objects": {"ip", "nexthop", "show", "proto", "86"},
	} {
		if out := e.m.MustRun(args...); strings.TrimSpace(out) != "" {
			t.Errorf("%s are left:\n%s", what, out)
		}
	}
	if err := e.Edge.HasRoute("203.0.113.0/24", "main"); err != nil {
		t.Errorf("another's route is gone: %v", err)
	}
	for path, want := range map[string]bool{"/usr/bin/vbrd": false, "/lib/systemd/system/vbrd.service": false, "/etc/vbrd/vbrd.yaml": true, "/var/lib/vbrd": true} {
		e.exists(t, path, want)
	}
	if out, _ := e.m.Run("systemctl", "is-active", unit); strings.TrimSpace(out) == "active" {
		t.Error("the service is active")
	}
}

// testPurge: what is the package's goes, what the administrator has written stays.
func (e *edge) testPurge(t *testing.T) {
	e.m.MustRun("dpkg", "-P", "openvbr")
	for path, want := range map[string]bool{
		"/etc/vbrd/vbrd.yaml": false, "/var/lib/vbrd": false, "/etc/iproute2/rt_protos.d/vbrd.conf": false,
		"/etc/systemd/system/vbrd.service": false, "/etc/systemd/system/multi-user.target.wants/vbrd.service": false,
		"/etc/vbrd/credentials/acme.bgp": true, "/etc/vbrd/resources.d/acme.yaml": true,
	} {
		e.exists(t, path, want)
	}
	if out, err := e.m.Run("dpkg", "-s", "openvbr"); err == nil {
		t.Errorf("dpkg still knows it:\n%s", out)
	}
}

func (e *edge) exists(t *testing.T, path string, want bool) {
	t.Helper()
	if _, err := e.m.Run("ls", "-d", path); (err == nil) != want {
		t.Errorf("%s: there: %v, want %v", path, err == nil, want)
	}
}
