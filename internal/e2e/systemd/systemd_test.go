package systemd

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
	"github.com/openvbr/openvbr/internal/lab/topo"
)

// TestService is an edge host's life under systemd: installed, set up, reloaded, restarted, killed, hung.
func TestService(t *testing.T) {
	e := newEdge(t)
	t.Run("installed", e.testInstalled)
	e.configure()
	e.restart()
	e.up(t)
	t.Run("sandbox", e.testSandbox)
	t.Run("capabilities", e.testCapabilities)
	t.Run("reload", e.testReload)
	t.Run("capture", e.testCapture)
	t.Run("restart", func(t *testing.T) { e.lossless(t, e.restart) })
	t.Run("killed", e.testKilled)
	t.Run("a loop hangs", e.testWatchdog)
	t.Run("one tenant hangs", e.testHungTenant)
}

// testInstalled: it runs, enabled, and says that it has no routers.
func (e *edge) testInstalled(t *testing.T) {
	for what, want := range map[string]string{"ActiveState": "active", "UnitFileState": "enabled", "NRestarts": "0", "User": "vbrd"} {
		if got := e.m.Property(unit, what); got != want {
			t.Errorf("%s=%s, want %s", what, got, want)
		}
	}
	e.says(t, 10*time.Second, "0 routers")
	for _, key := range []string{"net/ipv4/nexthop_compat_mode", "net/ipv4/conf/all/send_redirects"} {
		if got := strings.TrimSpace(e.m.MustRun("cat", "/proc/sys/"+key)); got != "0" {
			t.Errorf("%s is %s, want 0", key, got)
		}
	}
}

// testSandbox: vbrd has two capabilities, a filter of system calls, and nothing that it lacks.
func (e *edge) testSandbox(t *testing.T) {
	pid := e.m.Property(unit, "MainPID")
	status := e.m.MustRun("cat", "/proc/"+pid+"/status")
	const netAdminAndBindService = "0000000000001400" // bits 12 and 10 (linux/capability.h)
	for _, want := range []string{
		"CapPrm:\t" + netAdminAndBindService, "CapEff:\t" + netAdminAndBindService, "CapBnd:\t" + netAdminAndBindService, "NoNewPrivs:\t1", "Seccomp:\t2",
	} {
		if !strings.Contains(status, want+"\n") {
			t.Errorf("no %q in\n%s", want, status)
		}
	}
	if user := strings.TrimSpace(e.m.MustRun("ps", "-o", "user=", "-p", pid)); user != "vbrd" {
		t.Errorf("user %s", user)
	}
	for _, lack := range []string{"not permitted", "ermission denied", "cannot probe", "set them by sysctl.d", "ead-only", "router degraded"} {
		for line := range strings.Lines(e.m.Journal(unit)) {
			if strings.Contains(line, lack) && !strings.Contains(line, "cannot see packets that GTSM drops") { // which takes CAP_NET_RAW, and says so once
				t.Errorf("vbrd lacks something: %s", line)
			}
		}
	}
	if out, err := e.m.Run("runuser", "-u", "vbrd", "--", "cat", "/etc/vbrd/credentials/acme.bgp"); err == nil {
		t.Errorf("vbrd's user reads the key's file: %d bytes", len(out))
	}
	if out := e.m.MustRun("ip", "route", "show", "vrf", "vbr-acme"); !strings.Contains(out, "proto vbrd") {
		t.Errorf("ip does not know vbrd's protocol:\n%s", out)
	}
	e.says(t, 20*time.Second, "2 routers, 0 degraded; 6 of 6 sessions, 1 of 1 of the backbone")
}

// testCapabilities: without either of its two capabilities vbrd does not start.
func (e *edge) testCapabilities(t *testing.T) {
	for _, left := range []string{"CAP_NET_ADMIN", "CAP_NET_BIND_SERVICE"} {
		e.changeUnit("AmbientCapabilities=", "AmbientCapabilities="+left, "CapabilityBoundingSet=", "CapabilityBoundingSet="+left)
		if _, err := e.m.Run("systemctl", "restart", unit); err == nil {
			t.Errorf("it starts with %s alone: %s", left, e.state())
		}
	}
	e.changeUnit()
	e.restart()
	e.up(t)
}

// testReload: `systemctl reload` takes new resources, and no session notices.
func (e *edge) testReload(t *testing.T) {
	pid := e.m.Property(unit, "MainPID")
	e.m.File("/etc/vbrd/resources.d/more.yaml", "kind: PhysicalConnection\nname: pc-9\ndevice: lo\n", "0644")
	e.lossless(t, func() { e.m.MustRun("systemctl", "reload", unit) })
	lab.Eventually(t, 10*time.Second, "the new resource", func() error { _, err := e.ctl("get", "pc", "pc-9"); return err })
	if now := e.m.Property(unit, "MainPID"); now != pid || e.m.Property(unit, "ActiveState") != "active" {
		t.Errorf("it was %s and is %s: %s", pid, now, e.state())
	}
}

// testKilled: systemd starts it again, and no packet is lost.
func (e *edge) testKilled(t *testing.T) {
	e.lossless(t, func() {
		e.m.MustRun("systemctl", "kill", "-s", "KILL", unit)
		e.restarted(t, 30*time.Second, "signal")
	})
}

// restarted waits until systemd has started the unit by itself, and it is ready; why is the result that it had before.
func (e *edge) restarted(t *testing.T, limit time.Duration, why string) {
	t.Helper()
	lab.Eventually(t, limit, "restarted", func() error {
		if e.restarts() == "0" || e.m.Property(unit, "ActiveState") != "active" {
			return fmt.Errorf("not yet: %s", e.state())
		}
		return nil
	})
	if want := "Failed with result '" + why + "'"; !strings.Contains(e.m.MustRun("journalctl", "--no-pager", "-o", "cat", "-u", unit), want) {
		t.Errorf("no %q in the journal", want)
	}
}

// faulty has the unit run a vbrd with a fault point armed, and a watchdog of 8 s.
func (e *edge) faulty(t *testing.T, fault string) {
	t.Helper()
	e.m.MustRun("install", "-m", "0755", built(t, "vbrd-faults"), "/usr/local/bin/")
	e.changeUnit("WatchdogSec=8s", "Environment=VBRD_FAULT="+fault, "ExecStart=", "ExecStart=/usr/local/bin/vbrd-faults")
}

// testWatchdog: when a loop of the host's own hangs, systemd ends vbrd with its goroutines in the journal, and starts it again. No packet is lost.
func (e *edge) testWatchdog(t *testing.T) {
	e.faulty(t, "state.measured.before=delay:10m@1")
	e.lossless(t, func() {
		e.m.MustRun("systemctl", "stop", unit)
		e.m.MustRun("rm", "-rf", "/var/lib/vbrd/usage") // so that the monitor writes at once, and hangs
		e.m.MustRun("systemctl", "start", unit)
		lab.Eventually(t, 60*time.Second, "hungry", func() error {
			if out := e.m.Journal(unit); !strings.Contains(out, "the host's monitor hangs") {
				return fmt.Errorf("not yet")
			}
			return nil
		})
		e.changeUnit() // the next start has no fault
		e.restarted(t, 60*time.Second, "watchdog")
	})
	if out := e.m.Journal(unit); !strings.Contains(out, "SIGABRT: abort") || !strings.Contains(out, "vbr.(*monitor).run") {
		t.Error("the journal does not have where the goroutines stood")
	}
}

// testHungTenant: a router whose actor hangs is degraded; vbrd is ready all the same, is not restarted, and the other tenant notices nothing.
func (e *edge) testHungTenant(t *testing.T) {
	e.faulty(t, "session.peers.before=delay:10m@1")
	e.restart()
	e.says(t, 60*time.Second, "2 routers, 1 degraded")
	out, err := e.ctl("show", "routers")
	if err != nil || !strings.Contains(out, "its actor has not finished a turn") {
		t.Errorf("%v:\n%s", err, out)
	}
	well := 0
	for _, c := range []*topo.Customer{e.Acme, e.Beta} {
		if c.Lines[0].Router.Established() == nil && c.PingBoth() == nil {
			well++
		}
	}
	if well != 1 || e.restarts() != "0" {
		t.Errorf("%d tenants of 2 are well, want 1; restarts: %s", well, e.restarts())
	}
	e.changeUnit()
	e.restart()
	e.up(t)
}
