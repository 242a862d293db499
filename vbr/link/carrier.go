package link

import (
	"encoding/binary"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// skipStats is RTEXT_FILTER_SKIP_STATS of linux/rtnetlink.h: an answer without counters, addresses families' settings and virtual functions.
const skipStats = 1 << 3

// Carrier says whether a device has its carrier now. The kernel reports a loss later, up to a second on a busy machine (net/core/link_watch.c:
// one second between two reports of all devices, but for urgent ones), and VLANs follow their port then; the flag is set at
// once. A device that does not exist has none, and that is an error.
func (m *Manager) Carrier(device string) (bool, error) {
	req := newRequest(m, unix.RTM_GETLINK, 0)
	req.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	req.AddData(nl.NewRtAttr(unix.IFLA_EXT_MASK, nl.Uint32Attr(skipStats)))
	req.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(device)))
	msgs, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWLINK)
	if err != nil {
		return false, fmt.Errorf("link: carrier of %s: %w", device, err)
	}
	if len(msgs) != 1 || len(msgs[0]) < unix.SizeofIfInfomsg {
		return false, fmt.Errorf("link: carrier of %s: %d messages", device, len(msgs))
	}
	flags := binary.NativeEndian.Uint32(msgs[0][8:]) // struct ifinfomsg: family, padding, type, index, flags
	return flags&unix.IFF_LOWER_UP != 0, nil
}
