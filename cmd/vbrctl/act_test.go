package main

import (
	"strings"
	"testing"
	"time"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

const reference = "../../examples/config/reference/resources.d"

func TestGet(t *testing.T) {
	f := start(t)
	f.vbrctl(t, "get", "all").complain(t, exitOK, "no resources; see `vbrctl apply --help`\n")
	f.resources = resources(t, acme+"bgp_peers: [{peer_ip_address: 10.0.0.2, peer_asn: 65001}]\nassociated_physical_connections: [{physical_connection_id: pc-2}]\n"+
		"---\nkind: RouterInterface\nname: ri-acme\nrouter_id: vbr-acme\nvni: 5001\nroute_target: 64600:5001\n")
	f.resources[0].Metadata = &vbrv1.Metadata{Source: "file:/etc/vbrd/a.yaml"}
	f.resources[1].Metadata = &vbrv1.Metadata{Source: "store", Generation: 2, Revision: 7, ModifyTime: ago(time.Hour)}
	f.vbrctl(t, "get", "all").expect(t, exitOK, `
PhysicalConnection  Owner  Host  Device  Source
pc-1                -      -     eth1    file:/etc/vbrd/a.yaml

VirtualBorderRouter  Owner  Host  AS  Lines           Peers     Source
vbr-acme             -      -      -  pc-1.4095 pc-2  10.0.0.2  store

RouterInterface  Owner  Router     VNI  Route Target  Opposite  Source
ri-acme          -      vbr-acme  5001  64600:5001    -         -
`)
	f.vbrctl(t, "get", "vbr/vbr-acme", "--owner", "acme", "--host", "edge1", "-o", "wide")
	if r := last[*vbrv1.ListRequest](t, f); r.GetNames()[0] != "vbr-acme" || r.GetKinds()[0] != 2 || r.GetOwner() != "acme" || r.GetHost() != "edge1" {
		t.Errorf("asked %v", r)
	}
	text := f.vbrctl(t, "get", "all", "-o", "yaml").out
	if !strings.Contains(text, "# generation 2, revision 7\nkind: VirtualBorderRouter\nname: vbr-acme\n") {
		t.Errorf("got\n%s", text)
	}
	if r := f.stdin(t, text, "apply", "-f", "-"); r.status != exitOK { // what get gives apply takes
		t.Errorf("%+v", r)
	}
	if r := f.vbrctl(t, "get", "all", "-o", "json"); !strings.Contains(r.out, `"virtual_border_router": {`) {
		t.Errorf("got\n%s", r.out)
	}
	f.vbrctl(t, "apply", "-f", reference)
	if r := last[*vbrv1.ApplyRequest](t, f); len(r.GetResources()) < 4 {
		t.Errorf("asked %v", r)
	}
}

func TestOperations(t *testing.T) {
	f := start(t)
	f.vbrctl(t, "reset", "vbr-acme/10.0.0.2", "vbr-beta/2001:db8::2").expect(t, exitOK, "vbr-acme 10.0.0.2: 1 session reset\nvbr-beta 2001:db8::2: 1 session reset\n")
	f.vbrctl(t, "reset", "-r", "vbr-acme", "--soft").expect(t, exitOK, "vbr-acme all: 1 session asked for all routes again and told all again\n")
	if r := last[*vbrv1.ResetSessionRequest](t, f); !r.GetSoft() || r.GetPeer() != "" || r.GetRouter() != "vbr-acme" {
		t.Errorf("asked %v", r)
	}
	f.vbrctl(t, "drain", "vbr-acme").expect(t, exitOK, "vbr-acme is now drained; end it with `vbrctl undrain vbr-acme`\n")
	f.vbrctl(t, "undrain", "vbr-acme").expect(t, exitOK, "vbr-acme was in use already\n")
	f.vbrctl(t, "undrain", "vbr-acme", "-o", "json").expect(t, exitOK, "{\"changed\":false}\n")
}

func TestCompletion(t *testing.T) {
	f := start(t)
	f.sessions = sessions()[:2]
	f.resources = resources(t, acme)
	f.revisions = []*vbrv1.Revision{{Number: 8, Author: "uid:0(root)", Comment: "why"}, {Number: 7}}
	for args, want := range map[string]string{
		"show router v":                    "vbr-acme vbr-beta",
		"show router vbr-acme ":            "",
		"show routers vbr-acme ":           "vbr-beta",
		"drain vbr-b":                      "vbr-beta",
		"explain 10.0.0.0/8 -r vbr-a":      "vbr-acme",
		"reset -r vbr-acme ":               "10.0.0.2 2001:db8::2",
		"reset ":                           "vbr-acme/10.0.0.2 vbr-acme/2001:db8::2",
		"get ":                             "pc vbr vr ri ha all",
		"get vbr vbr":                      "vbr-acme",
		"delete pc ":                       "pc-1 vbr-acme", // the fake does not filter
		"rollback ":                        "8\tuid:0(root) why 7",
		"show routes -r vbr-acme --stage ": "received accepted rejected best kernel advertised exported",
		"show host -o ":                    "table wide json yaml",
		"completion ":                      "bash zsh fish powershell",
		"sh":                               "show",
	} {
		r := f.vbrctl(t, append([]string{"__complete"}, strings.Split(args, " ")...)...)
		lines := strings.Split(r.out, "\n")
		var got []string
		for _, l := range lines {
			if name, _, _ := strings.Cut(l, "\t"); !strings.HasPrefix(l, ":") && l != "" {
				if strings.HasPrefix(args, "rollback") {
					name = l
				}
				got = append(got, name)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", args, got, want)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if r := f.vbrctl(t, "completion", shell); r.status != exitOK || !strings.Contains(r.out, "__complete") {
			t.Errorf("%s: %d", shell, r.status)
		}
	}
}

// Completion does not keep a shell waiting.
func TestCompletionDeadline(t *testing.T) {
	f := start(t)
	f.hang = true
	for _, args := range []string{"show router ", "get vbr ", "rollback ", "reset "} {
		begun := time.Now()
		f.vbrctl(t, append([]string{"__complete"}, strings.Split(args, " ")...)...)
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("%s took %s", args, took)
		}
	}
}
