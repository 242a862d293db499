package admin

import (
	"os"
	"strings"
	"testing"
)

var carrier = person{4716, "4700"} // by its uid

const farLine = `kind: VirtualBorderRouter
name: vbr-far
owner: acme
host: far
physical_connection_id: pc-far
vlan_id: 100
local_gateway_ip: 10.0.0.1
peer_gateway_ip: 10.0.0.2
peering_subnet_mask: /30
`

// The owner of a port makes a VBR for another account, which confirms it; the port's owner terminates and recovers it. What either may
// not leaves an audit line, and of a pair of two accounts each makes its own end.
func TestTwoAccounts(t *testing.T) {
	e := newEdge(t, "edge1", "")
	e.people()
	settings, err := os.ReadFile(e.path("vbrd.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, e.path("vbrd.yaml"), strings.Replace(string(settings), "roles: [", "roles: [\n  {match: \"uid:4716\", role: operator, owners: [carrier]},", 1))
	e.start()
	try := func(who person, want string, words ...string) {
		t.Helper()
		out, err := e.tryAs(who, words...)
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("%v: %q, %v", words, out, err)
		}
	}
	refused := func(who person, command, want string) {
		t.Helper()
		if text := e.refused(who, "operator", "PermissionDenied", command); !strings.Contains(text, want) {
			t.Errorf("%s: %s", command, text)
		}
	}
	try(carrier, "stored", "apply", "-f", put(t, e.path("port.yaml"), "kind: PhysicalConnection\nname: pc-far\nowner: carrier\nhost: far\ndevice: eth9\n"))
	refused(carrier, "apply -f "+put(t, e.path("line.yaml"), farLine), "VirtualBorderRouter/vbr-far.confirmed: not for uid:4716")
	try(carrier, "stored", "apply", "-f", put(t, e.path("waiting.yaml"), farLine+"confirmed: false\n"))
	refused(carrier, "confirm-vbr vbr-far", "vbr-far.confirmed: not for uid:4716")
	try(acmeUser, "stored", "confirm-vbr", "vbr-far", "-m", "as ordered")
	refused(carrier, "delete vbr vbr-far", "may not be deleted by uid:4716")
	refused(acmeUser, "terminate vbr-far", "vbr-far.termination_time: ")
	try(carrier, "stored", "terminate", "vbr-far")
	try(carrier, "terminated", "get", "vbr", "vbr-far", "-o", "wide")
	refused(acmeUser, "recover vbr-far", "vbr-far.termination_time: ")
	try(carrier, "stored", "recover", "vbr-far")

	vpc := func(name, owner, cidr string) string {
		return "kind: VRouter\nname: vpc-" + name + "\nowner: " + owner + "\nhost: far\ncidr_blocks: [" + cidr + "]\n"
	}
	try(acmeUser, "stored", "apply", "-f", put(t, e.path("vpc-a.yaml"), vpc("a", "acme", "172.16.0.0/16")+
		"---\nkind: RouterInterface\nname: ri-a\nowner: acme\nrouter_id: vpc-a\nvni: 7\nroute_target: '1:7'\nopposite_interface_id: ri-c\nopposite_interface_owner_id: carrier\n"))
	try(carrier, "stored", "apply", "-f", put(t, e.path("vpc-c.yaml"), vpc("c", "carrier", "172.17.0.0/16")))
	if out, err := e.tryAs(carrier, "get", "ri"); err != nil || strings.Contains(out, "ri-a") {
		t.Errorf("the other's end shows: %q, %v", out, err)
	}
	try(carrier, "stored", "accept", "ri-a", "--router", "vpc-c", "--name", "ri-c", "--opposite-owner", "acme", "--vni", "7", "--route-target", "1:7")
	try(carrier, "", "accept", "ri-a", "--router", "vpc-c", "--name", "ri-c")
	try(acmeUser, "stored", "deactivate", "ri-a")
	try(acmeUser, "stored", "delete", "ri", "ri-a")
	if out, err := e.tryAs(carrier, "get", "ri"); err != nil || !strings.Contains(out, "ri-c") {
		t.Errorf("the own end is gone: %q, %v", out, err)
	}
}
