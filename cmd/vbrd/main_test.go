package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// write makes a settings file and a resource file in a folder of their own and returns the settings' path.
func write(t *testing.T, settings, resources string) string {
	t.Helper()
	dir := t.TempDir()
	res := filepath.Join(dir, "resources.yaml")
	for path, text := range map[string]string{
		res:                             resources,
		filepath.Join(dir, "vbrd.yaml"): "resources: " + res + "\nstate_dir: " + dir + "\n" + settings,
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "vbrd.yaml")
}

const good = `kind: PhysicalConnection
name: pc-1
device: lo
---
kind: VirtualBorderRouter
name: vbr-acme
physical_connection_id: pc-1
vlan_id: 100
local_gateway_ip: 10.0.0.1
peer_gateway_ip: 10.0.0.2
peering_subnet_mask: 255.255.255.252
bgp_peers: [{peer_ip_address: 10.0.0.2, peer_asn: 65001}]
`

// Wrong input ends with status 2, names every error with its place, and touches nothing.
func TestStatusAndErrors(t *testing.T) {
	for _, tt := range []struct {
		name, settings, resources string
		status                    int
		want                      []string
	}{
		{"OK", "", good, exitOK, []string{"ok: 1 VBRs, 0 VRouters, 0 router interfaces, 0 failover groups, 1 physical connections"}},
		{"bad settings key", "hots: edge1\n", good, exitInvalid, []string{"vbrd.yaml:3:1", "hots", `did you mean "host"`, "nothing was applied"}},
		{"bad settings value", "timers: {stale: soon}\n", good, exitInvalid, []string{"timers.stale", `"soon"`, "not a duration"}},
		{"bad netdev", "", strings.Replace(good, "device: lo", "device: eth77", 1), exitInvalid, []string{"resources.yaml:3:9", `"eth77"`, "no such network device on this host"}},
		{"bad VLAN", "", strings.Replace(good, "vlan_id: 100", "vlan_id: 4095", 1), exitInvalid, []string{"resources.yaml:8:10", "4095", "0..4094"}},
		{"bad reference", "", strings.Replace(good, "physical_connection_id: pc-1", "physical_connection_id: pc-9", 1), exitInvalid, []string{"resources.yaml:7", `"pc-9"`}},
		{
			"bad everything at once", "hots: edge1\n", strings.NewReplacer("vlan_id: 100", "vlan_id: 4095", "peer_asn: 65001", "peer_asn: 0").Replace(good), exitInvalid,
			[]string{"hots"},
		},
		{
			"bad resources, all at once", "", strings.NewReplacer("vlan_id: 100", "vlan_id: 4095", "peer_asn: 65001", "peer_asn: 0", "device: lo", "device: eth77").Replace(good) + "speed: 9\n", exitInvalid,
			[]string{"4095", "peer_asn", "speed", "eth77", "4 errors"},
		},
		{"bad interface without backbone", "", good + "---\nkind: RouterInterface\nname: ri-acme\nrouter_id: vbr-acme\nvni: 5001\nroute_target: \"64600:5001\"\n",
			exitInvalid, []string{"RouterInterface/ri-acme", "the settings have no backbone"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out, errOut bytes.Buffer
			status := run(context.Background(), []string{"--config", write(t, tt.settings, tt.resources), "--check"}, &out, &errOut)
			if status != tt.status {
				t.Errorf("status %d, want %d", status, tt.status)
			}
			for _, w := range tt.want {
				if !strings.Contains(out.String()+errOut.String(), w) {
					t.Errorf("want %q in\n%s%s", w, out.String(), errOut.String())
				}
			}
		})
	}
}

func TestHelpAndVersion(t *testing.T) {
	for flag, want := range map[string]string{"--help": "Usage: vbrd", "--version": "vbrd "} {
		var out, errOut bytes.Buffer
		if status := run(context.Background(), []string{flag}, &out, &errOut); status != exitOK || !strings.Contains(out.String(), want) {
			t.Errorf("%s: status %d\n%s%s", flag, status, out.String(), errOut.String())
		}
	}
}
