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

// QinQDeviceName is the sub-interface of a port for a VLAN inside an outer one, "eth1.7.100", shortened as in VLANDeviceName.
func QinQDeviceName(port string, outer, vlan uint16) string {
	suffix := "." + strconv.Itoa(int(outer)) + "." + strconv.Itoa(int(vlan))
	return shorten(port, maxDeviceName-len(suffix)) + suffix
}

// SwitchDeviceName is the bridge of a vSwitch: "vsw" and 12 hex digits, since vSwitches of two VRouters may have one name.
func SwitchDeviceName(router, vswitch string) string {
	sum := sha256.Sum256([]byte(router + "/" + vswitch))
	return "vsw" + hex.EncodeToString(sum[:6])
}

// VethDeviceName is the device of a router interface whose opposite is on the same host: "rv" and 12 hex digits.
func VethDeviceName(name, opposite string) string {
	sum := sha256.Sum256([]byte("device\x00" + name + "\x00" + opposite))
	return "rv" + hex.EncodeToString(sum[:6])
}

// VXLANDeviceName is the device of a router interface: "vx5001".
func VXLANDeviceName(vni uint32) string { return "vx" + strconv.FormatUint(uint64(vni), 10) }

// DeviceName is the device of the link on this host.
func (l Link) DeviceName() string {
	if l.OuterVLAN != 0 {
		return QinQDeviceName(l.Device, l.OuterVLAN, l.VLAN)
	}
	return VLANDeviceName(l.Device, l.VLAN)
}

// OuterDeviceName is the device of the link's outer VLAN (802.1ad), which is the parent of its device; "" without one.
func (l Link) OuterDeviceName() string {
	if l.OuterVLAN == 0 {
		return ""
	}
	return VLANDeviceName(l.Device, l.OuterVLAN)
}

// DeviceName is the VRF device of the router, "" for one in the default VRF.
func (r *Router) DeviceName() string {
	if r.DefaultVRF {
		return ""
	}
	return DeviceName(r.Name)
}

// DeviceName is the VXLAN device of the router interface. With an opposite on the same host it has VethDeviceName instead.
func (ri *RouterInterface) DeviceName() string { return VXLANDeviceName(ri.VNI) }

func shorten(name string, limit int) string {
	if len(name) <= limit {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	if limit < 8 { // beside the longest pairs of VLANs
		return "q" + hex.EncodeToString(sum[:])[:limit-1]
	}
	return name[:limit-7] + "-" + hex.EncodeToString(sum[:3])
}
