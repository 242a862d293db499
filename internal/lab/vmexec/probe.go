package main

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
)

// needed are the device types that the lab creates; CONFIG_NET_VRF and
// CONFIG_VLAN_8021Q are those most often missing.
const needed = `ip link add vrf0 type vrf table 10 &&
ip link add dummy0 type dummy &&
ip link add link dummy0 name vlan0 type vlan id 100 &&
ip link add br0 type bridge vlan_filtering 1 &&
ip link add vx0 type vxlan id 1 dstport 4789 &&
ip link add veth0 type veth peer name veth1`

// probe reports why the host's kernel cannot run the lab, nil when it can: it
// creates what is needed in a network namespace that ends with the attempt.
func probe() error {
	cmd := exec.Command("sh", "-c", needed)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}
