package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	systemdDir = "../../examples/systemd"
	// exposureLimit is the most that `systemd-analyze security` may find, in tenths.
	exposureLimit = "16"
)

func unit(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(systemdDir, "vbrd.service"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// offline puts a unit's text into a folder of its own and returns its path.
func offline(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vbrd.service")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func analyse(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command("systemd-analyze", args...)
	cmd.Env = append(os.Environ(), "SYSTEMD_LOG_LEVEL=warning")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// The unit's exposure stays at most 1.6 of 10, and the check sees it when a line of the sandbox goes.
func TestExposure(t *testing.T) {
	text := unit(t)
	out, err := analyse(t, "security", "--offline=true", "--threshold="+exposureLimit, offline(t, text))
	if err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
	for _, line := range []string{"NoNewPrivileges=yes", "RestrictNamespaces=yes", "SystemCallFilter=@system-service", "PrivateMounts=yes"} {
		if !strings.Contains(text, line+"\n") {
			t.Fatalf("%s is not in the unit", line)
		}
		if _, err := analyse(t, "security", "--offline=true", "--threshold="+exposureLimit, offline(t, strings.Replace(text, line+"\n", "", 1))); err == nil {
			t.Errorf("without %s the exposure is still at most %s", line, exposureLimit)
		}
	}
}

// The unit has the capabilities that vbrd needs and no other: neither CAP_NET_RAW nor CAP_SYS_ADMIN.
func TestCapabilities(t *testing.T) {
	out, err := analyse(t, "security", "--offline=true", "--json=short", offline(t, unit(t)))
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	var rows []struct {
		Set      *bool
		Name     string
		Exposure *string
	}
	if err := json.Unmarshal([]byte(out), &rows); err != nil {
		t.Fatal(err)
	}
	var open []string
	for _, r := range rows {
		if strings.HasPrefix(r.Name, "CapabilityBoundingSet=") && r.Exposure != nil {
			open = append(open, strings.TrimPrefix(r.Name, "CapabilityBoundingSet=~"))
		}
	}
	slices.Sort(open)
	if want := []string{"CAP_NET_(BIND_SERVICE|BROADCAST|RAW)", "CAP_NET_ADMIN"}; !slices.Equal(open, want) {
		t.Errorf("capabilities %q, want %q", open, want)
	}
	const both = "CAP_NET_ADMIN CAP_NET_BIND_SERVICE"
	for _, key := range []string{"AmbientCapabilities", "CapabilityBoundingSet"} {
		if got := regexp.MustCompile(`(?m)^`+key+`=(.*)$`).FindAllStringSubmatch(unit(t), -1); len(got) != 1 || got[0][1] != both {
			t.Errorf("%s: %q, want one line with %q", key, got, both)
		}
	}
}

// The drop-in for captures adds what they need, and no more: one capability and one address family.
func TestCaptureDropIn(t *testing.T) {
	more, err := os.ReadFile(filepath.Join(systemdDir, "vbrd.service.d/capture.conf"))
	if err != nil {
		t.Fatal(err)
	}
	text := unit(t) + "\n" + string(more) // as systemd reads it: later lines of these keys add
	out, err := analyse(t, "security", "--offline=true", "--threshold=18", offline(t, text))
	if err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
	if strings.Contains(out, "✓ RestrictAddressFamilies=~AF_PACKET") || !strings.Contains(out, "✓ CapabilityBoundingSet=~CAP_SYS_ADMIN") {
		t.Errorf("AF_PACKET is not there, or too much is:\n%s", out)
	}
	if out, err := analyse(t, "verify", "--man=no", offline(t, strings.Replace(text, "/usr/bin/vbrd", "/bin/true", 1))); err != nil || strings.TrimSpace(out) != "" {
		t.Errorf("%v:\n%s", err, out)
	}
	var lines []string
	for line := range strings.Lines(string(more)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	if want := []string{"[Service]", "AmbientCapabilities=CAP_NET_RAW", "CapabilityBoundingSet=CAP_NET_RAW", "RestrictAddressFamilies=AF_PACKET"}; !slices.Equal(lines, want) {
		t.Errorf("%q, want %q", lines, want)
	}
}

// systemd understands every line of the unit.
func TestUnitIsUnderstood(t *testing.T) {
	text := strings.Replace(unit(t), "/usr/bin/vbrd", "/bin/true", 1) // it is not installed here
	if out, err := analyse(t, "verify", "--man=no", offline(t, text)); err != nil || strings.TrimSpace(out) != "" {
		t.Errorf("%v:\n%s", err, out)
	}
	if out, err := analyse(t, "verify", "--man=no", offline(t, text+"\n[Service]\nProtectHme=yes\n")); err == nil && !strings.Contains(out, "ProtectHme") {
		t.Errorf("a misspelt line is not seen: %v: %s", err, out)
	}
}
