package intent

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
)

// maxDeviceName is the longest name of a network device (IFNAMSIZ-1, linux/if.h).
const maxDeviceName = 15

// DeviceName is the VRF device of a router: the router's own name, or, beyond 15 characters, its first 8, a dash and
// 6 hex digits of its SHA-256. Two names can collide; Load refuses that.
func DeviceName(router string) string { return shorten(router, maxDeviceName) }

// VLANDeviceName is the sub-interface of a port for a VLAN, "eth1.100", with a long port name shortened as in
// DeviceName; VLAN 0 is the port itself.
func VLANDeviceName(port string, vlan uint16) string {
	if vlan == 0 {
		return port
	}
	suffix := "." + strconv.Itoa(int(vlan))
	return shorten(port, maxDeviceName-len(suffix)) + suffix
}

// VXLANDeviceName is the device of a router interface: "vx5001".
func VXLANDeviceName(vni uint32) string { return "vx" + strconv.FormatUint(uint64(vni), 10) }

// DeviceName is the device of the link on this host.
func (l Link) DeviceName() string { return VLANDeviceName(l.Device, l.VLAN) }

// DeviceName is the VRF device of the router, "" for one in the default VRF.
func (r *Router) DeviceName() string {
	if r.DefaultVRF {
		return ""
	}
	return DeviceName(r.Name)
}

// DeviceName is the VXLAN device of the router interface.
func (ri *RouterInterface) DeviceName() string { return VXLANDeviceName(ri.VNI) }

func shorten(name string, limit int) string {
	if len(name) <= limit {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return name[:limit-7] + "-" + hex.EncodeToString(sum[:3])
}
