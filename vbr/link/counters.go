package link

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Counters are a device's since it was made (struct rtnl_link_stats64). Bytes are as the driver counts them, link-layer headers
// included. Received ones are counted before a [Rate]'s In drops any, sent ones after its Out; what a Rate drops is in no counter here.
// What an In lets in is what the device's Inlet has sent, with Ethernet headers.
type Counters struct {
	RxPackets, TxPackets uint64
	RxBytes, TxBytes     uint64
	RxErrors, TxErrors   uint64
	RxDropped, TxDropped uint64
}

const (
	statsLink64 = 1  // IFLA_STATS_LINK_64 of linux/if_link.h
	statsHeader = 12 // struct if_stats_msg: family, padding, index, filter mask
	statsFields = 8
	dumpTries   = 5
)

// statsRequest asks for the 64 bit counters only: a tenth of what RTM_GETLINK sends.
type statsRequest struct{}

func (statsRequest) Len() int { return statsHeader }

func (statsRequest) Serialize() []byte {
	b := make([]byte, statsHeader)
	binary.NativeEndian.PutUint32(b[8:], 1<<(statsLink64-1))
	return b
}

// Counters returns the counters of the devices with these indexes, of all devices if none is named, by a single dump. A
// device that does not exist is not in the map.
func (m *Manager) Counters(indexes ...int) (map[int]Counters, error) {
	msgs, err := m.dumpStats()
	if err != nil {
		return nil, fmt.Errorf("link: counters: %w", err)
	}
	wanted := make(map[int]bool, len(indexes))
	for _, i := range indexes {
		wanted[i] = true
	}
	all := make(map[int]Counters, len(indexes))
	for _, b := range msgs {
		if len(b) < statsHeader {
			return nil, fmt.Errorf("link: counters: message of %d bytes", len(b))
		}
		index := int(binary.NativeEndian.Uint32(b[4:]))
		if len(indexes) > 0 && !wanted[index] {
			continue
		}
		c, err := parseCounters(b[statsHeader:])
		if err != nil {
			return nil, fmt.Errorf("link: counters of device %d: %w", index, err)
		}
		all[index] = c
	}
	return all, nil
}

// dumpStats tries again when devices came or went in between: the dump may lack one that was there all the time.
func (m *Manager) dumpStats() (msgs [][]byte, err error) {
	for range dumpTries {
		req := newRequest(m, unix.RTM_GETSTATS, unix.NLM_F_DUMP)
		req.AddData(statsRequest{})
		msgs, err = req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWSTATS)
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	return msgs, err
}

func parseCounters(b []byte) (Counters, error) {
	s, err := attr(b, statsLink64)
	if err != nil || len(s) < statsFields*8 {
		return Counters{}, fmt.Errorf("%d bytes of counters: %w", len(s), errors.Join(err, unix.EBADMSG))
	}
	f := func(i int) uint64 { return binary.NativeEndian.Uint64(s[i*8:]) }
	return Counters{
		RxPackets: f(0), TxPackets: f(1), RxBytes: f(2), TxBytes: f(3),
		RxErrors: f(4), TxErrors: f(5), RxDropped: f(6), TxDropped: f(7),
	}, nil
}

// attr finds an attribute inside nested ones by its path of types. One that is not there is nil.
func attr(b []byte, path ...uint16) ([]byte, error) {
	const mask = ^uint16(unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
	for _, want := range path {
		attrs, err := parseAttrs(b, 0)
		if err != nil {
			return nil, err
		}
		b = nil
		for _, a := range attrs {
			if a.Attr.Type&mask == want {
				b = a.Value
			}
		}
		if b == nil {
			return nil, nil
		}
	}
	return b, nil
}
