package bgptest

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// FRR is a real bgpd, alone: without zebra, without touching the kernel, on a loopback address.
type FRR struct {
	t   testing.TB
	dir string
}

// StartFRR runs bgpd with the configuration, listening on the address and port, until the test
// ends. A missing bgpd fails the test.
func StartFRR(t testing.TB, listen netip.AddrPort, config string) *FRR {
	t.Helper()
	return StartFRRIn(t, "", listen, config)
}

// StartFRRIn is StartFRR in a network namespace; "": the test's.
func StartFRRIn(t testing.TB, netns string, listen netip.AddrPort, config string) *FRR {
	t.Helper()
	dir, err := os.MkdirTemp("", "bgptest-frr") // t.TempDir's names are too long for a socket's
	if err != nil {
		t.Fatal(err)
	}
	f := &FRR{t, dir}
	conf, logFile := filepath.Join(dir, "bgpd.conf"), filepath.Join(dir, "log")
	out, err := os.Create(logFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(conf, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	var args []string
	if netns != "" {
		args = []string{"ip", "netns", "exec", netns}
	}
	args = append(args, "/usr/lib/frr/bgpd", "-f", conf, "-n", "-Z", "-S", "-P", "0",
		"-l", listen.Addr().String(), "-p", fmt.Sprint(listen.Port()),
		"-i", filepath.Join(dir, "pid"), "--vty_socket", dir, "--log", "stdout")
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatalf("bgpd: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = out.Close()
		if b, err := os.ReadFile(logFile); t.Failed() && err == nil {
			t.Logf("bgpd: %s", b)
		}
		_ = os.RemoveAll(dir)
	})
	f.Wait("", "show bgp summary")
	return f
}

// Show runs one vtysh command.
func (f *FRR) Show(command string) string {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	b, _ := exec.CommandContext(ctx, "vtysh", "--vty_socket", f.dir, "-d", "bgpd", "-c", command).CombinedOutput()
	return string(b)
}

// Configure enters configuration lines.
func (f *FRR) Configure(lines ...string) {
	f.t.Helper()
	args := []string{"--vty_socket", f.dir, "-d", "bgpd", "-c", "configure terminal"}
	for _, l := range lines {
		args = append(args, "-c", l)
	}
	if b, err := exec.Command("vtysh", args...).CombinedOutput(); err != nil {
		f.t.Fatalf("vtysh: %v: %s", err, b)
	}
}

// Wait repeats a command until it succeeds and its output contains all the parts.
func (f *FRR) Wait(not, command string, parts ...string) string {
	f.t.Helper()
	var out string
	for end := time.Now().Add(2 * patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		out = f.Show(command)
		if containsAll(out, parts) && (not == "" || !strings.Contains(out, not)) && !strings.Contains(out, "failed to connect") {
			return out
		}
	}
	f.t.Fatalf("%s: no %q, or %q, in\n%s", command, parts, not, out)
	return ""
}
