package daemon

import (
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
)

// VBRD is this project's daemon without backbone: one VBR in the default VRF with all neighbours, or a VBR for each neighbour with
// a VRF of its own.
func VBRD(binary string) Kind {
	return Kind{
		Name: "vbrd",
		Version: func() (string, error) {
			out, err := exec.Command(binary, "--version").CombinedOutput()
			return strings.TrimSpace(string(out)), err
		},
		Start:        func(s Setup) (*Daemon, error) { return startVBRD(binary, s) },
		MakesDevices: true,
	}
}

// Managed is vbrd without resources, whose API at Socket is to give it them. Its Start returns when the socket is there.
func Managed(binary string) Kind {
	k := VBRD(binary)
	k.Start = func(s Setup) (*Daemon, error) {
		d, err := launch(binary, s, "")
		if err != nil {
			return d, err
		}
		return d, d.waitFor(s.Socket())
	}
	return k
}

// callRate is how many calls a second vbrd takes from one caller: the most that its settings allow.
const callRate = 10_000

// Socket is where vbrd's API listens.
func (s Setup) Socket() string { return filepath.Join(s.Dir, "vbrd.sock") }

func vbrdSettings(s Setup) string {
	return fmt.Sprintf("host: bench\nresources: %s\nstate_dir: %s\napi: {socket: %s, rate: %d}\n",
		filepath.Join(s.Dir, "resources.yaml"), filepath.Join(s.Dir, "state"), s.Socket(), callRate)
}

func vbrdResources(s Setup) string {
	var b strings.Builder
	ports := map[string]bool{}
	for _, n := range s.Neighbours {
		if !ports[n.Device] {
			fmt.Fprintf(&b, "kind: PhysicalConnection\nname: pc-%s\ndevice: %[1]s\n---\n", n.Device)
		}
		ports[n.Device] = true
	}
	if s.Neighbours[0].VRF.Name == "" {
		b.WriteString(vbrdRouter("vbr-bench", s.ASN, s.Neighbours) + "vrf: default\n")
		return b.String()
	}
	for i, n := range s.Neighbours {
		fmt.Fprintf(&b, "%sroute_table_id: %d\n---\n", vbrdRouter(n.VRF.Name, s.ASN, s.Neighbours[i:i+1]), n.VRF.Table)
	}
	return b.String()
}

// vbrdRouter is one VBR with a line for each address that its neighbours reach it at.
func vbrdRouter(name string, asn uint32, neighbours []Neighbour) string {
	var b strings.Builder
	fmt.Fprintf(&b, "kind: VirtualBorderRouter\nname: %s\n", name)
	lines := map[netip.Addr]bool{}
	for _, n := range neighbours {
		if lines[n.Local] {
			continue
		}
		indent, first := "    ", "  - "
		switch len(lines) {
		case 0:
			indent, first = "", ""
		case 1:
			b.WriteString("associated_physical_connections:\n")
		}
		lines[n.Local] = true
		fmt.Fprintf(&b, "%sphysical_connection_id: pc-%s\n", first, n.Device)
		for _, line := range []string{
			fmt.Sprintf("vlan_id: %d", n.VRF.VLAN), "local_gateway_ip: " + n.Local.String(), "peer_gateway_ip: " + n.Remote.String(),
			fmt.Sprintf("peering_subnet_mask: /%d", n.Bits),
		} {
			b.WriteString(indent + line + "\n")
		}
	}
	fmt.Fprintf(&b, "local_asn: %d\nbgp_peers:\n", asn)
	for _, n := range neighbours {
		fmt.Fprintf(&b, "  - {peer_ip_address: %s, peer_asn: %d, hold: 240, keepalive: 80, route_quota: 10000000}\n", n.Remote, n.ASN)
	}
	return b.String()
}

func startVBRD(binary string, s Setup) (*Daemon, error) { return launch(binary, s, vbrdResources(s)) }

// launch starts vbrd with these resources.
func launch(binary string, s Setup, resources string) (*Daemon, error) {
	conf, err := s.write("vbrd.yaml", vbrdSettings(s))
	if err != nil {
		return nil, err
	}
	if _, err := s.write("resources.yaml", resources); err != nil {
		return nil, err
	}
	d := &Daemon{}
	return d, d.start(s, "vbrd", binary, "--config", conf)
}
