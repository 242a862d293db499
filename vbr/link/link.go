package link

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

const (
	// Group is the device group (IFLA_GROUP) of the devices we make.
	Group = 8686
	// Protocol marks addresses (IFA_PROTO) and the VRF's unreachable defaults (rtm_protocol) as ours.
	Protocol = 86
	// AliasPrefix begins the alias (IFLA_IFALIAS) of the devices we make; the router's name follows.
	AliasPrefix = "openvbr:"
	// VXLANPort is the UDP port of VXLAN (RFC 7348).
	VXLANPort = 4789
	// unreachableMetric makes a miss in a VRF's table end there (Documentation/networking/vrf.rst).
	unreachableMetric = 4278198272
	// deadline bounds each netlink request.
	deadline = 5 * time.Second
)

// ErrNotOurs says that a device with a name or a table we need belongs to somebody else.
var ErrNotOurs = errors.New("is not ours")

// Router is what one router needs of the kernel's devices.
type Router struct {
	// Name goes into the devices' aliases.
	Name string
	// VRF is the VRF device's name; empty means the namespace's main table, without a VRF.
	VRF string
	// Table is the VRF's routing table.
	Table    uint32
	Lines    []Line
	Tunnels  []Tunnel
	Switches []Switch
	Pairs    []Pair
}

// Line is one leased line of a router.
type Line struct {
	// Port is the netdev of the physical connection.
	Port string
	// VLAN is the 802.1Q id, 1-4094; 0 means untagged: the port itself.
	VLAN uint16
	// OuterVLAN is the 802.1ad service tag (QinQ) around VLAN, 1-4094; 0 means none.
	OuterVLAN uint16
	// Outer is the name of the service tag's sub-interface of the port. All lines with this OuterVLAN on this port share it
	// and name it alike. It is no router's: see [OuterAlias].
	Outer string
	// Device is the sub-interface's name; the port's when untagged.
	Device string
	// Addrs are our addresses on the line with the subnet's length.
	Addrs []netip.Prefix
	Rate  Rate
}

// Tunnel is the VXLAN device of one router interface (RFC 9136 4.4.1, interface-less).
type Tunnel struct {
	Device string
	VNI    uint32
	VTEP   netip.Addr
	MAC    net.HardwareAddr
	// Addrs are our link addresses on the device, such as a /31; usually none.
	Addrs []netip.Prefix
	Rate  Rate
}

// Device is a device as the kernel has it.
type Device struct {
	Name  string
	Index int
	// Up is true when packets can leave: administratively up and with carrier.
	Up bool
	// Inlet is the index of the IFB device through which a device with a [Rate] of In receives; 0: none. Its sent packets are those that the limit let in.
	Inlet int
	// Err is why the device is not as it was asked for, be it there or not; nil: it is.
	Err error
}

// State is what Ensure found or made, in the order of the Router's lists. A device with Index 0 is missing.
// A device that was made anew has another Index than before.
type State struct {
	VRF      Device
	Lines    []Device
	Tunnels  []Device
	Switches []Device
	Pairs    []Device
}

// Manager makes and removes devices in one network namespace. Its methods may be called from several goroutines, not for one router at a time.
type Manager struct {
	nl      *netlink.Handle
	sockets map[int]*nl.SocketHandle // for the messages that the library does not have
	log     *slog.Logger
	shared  sync.Mutex // held while what concerns two routers is made or removed: outer VLANs, pairs
	asked   sync.Map   // by the name of a device that is being made: the alias it is to get
}

// New opens a manager in the calling thread's network namespace.
func New(log *slog.Logger) (*Manager, error) {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("link: open rtnetlink: %w", err)
	}
	if err := h.SetSocketTimeout(deadline); err != nil {
		h.Close()
		return nil, fmt.Errorf("link: %w", err)
	}
	s, err := nl.GetNetlinkSocketAt(netns.None(), netns.None(), unix.NETLINK_ROUTE)
	if err != nil {
		h.Close()
		return nil, fmt.Errorf("link: open rtnetlink: %w", err)
	}
	tv := unix.NsecToTimeval(deadline.Nanoseconds())
	// Strict: a dump of addresses has those of the device that it asks for only.
	strict := unix.SetsockoptInt(s.GetFd(), unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1)
	if err := errors.Join(strict, s.SetSendTimeout(&tv), s.SetReceiveTimeout(&tv)); err != nil {
		h.Close()
		s.Close()
		return nil, fmt.Errorf("link: %w", err)
	}
	return &Manager{nl: h, log: log, sockets: map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: {Socket: s}}}, nil
}

// Close closes the manager's sockets and leaves all devices.
func (m *Manager) Close() {
	m.nl.Close()
	m.sockets[unix.NETLINK_ROUTE].Close()
}

// Ensure makes what r needs and does not exist, mends what differs, and returns what is there. It
// goes on after an error; the errors, joined, name the devices concerned. A device of the router's that somebody has renamed is
// made anew under its own name.
func (m *Manager) Ensure(r Router) (State, error) {
	s, err := m.ensure(r)
	if !errors.Is(err, unix.EEXIST) {
		return s, err
	}
	m.log.Warn("something has the place of a device; removing what has the router's mark and another name", "router", r.Name, "err", err)
	if err := m.Prune(r, nil); err != nil {
		return s, err
	}
	return m.ensure(r)
}

func (m *Manager) ensure(r Router) (State, error) {
	var s State
	var errs []error
	if r.VRF != "" {
		d, err := m.ensureVRF(r)
		if err != nil {
			return State{}, err // without a VRF, everything else would land in another's table
		}
		s.VRF = d
	}
	for _, l := range r.Lines {
		d, err := m.ensureLine(r, l, s.VRF.Index)
		d.Err = about("line", l.Device, err)
		s.Lines, errs = append(s.Lines, d), append(errs, d.Err)
	}
	for _, t := range r.Tunnels {
		d, err := m.ensureTunnel(r, t, s.VRF.Index)
		d.Err = about("tunnel", t.Device, err)
		s.Tunnels, errs = append(s.Tunnels, d), append(errs, d.Err)
	}
	for _, w := range r.Switches {
		d, err := m.ensureSwitch(r, w, s.VRF.Index)
		d.Err = about("switch", w.Device, err)
		s.Switches, errs = append(s.Switches, d), append(errs, d.Err)
	}
	for _, p := range r.Pairs {
		d, err := m.ensurePair(r, p, s.VRF.Index)
		d.Err = about("pair", p.Device, err)
		s.Pairs, errs = append(s.Pairs, d), append(errs, d.Err)
	}
	return s, errors.Join(errs...)
}

// about names the device that an error concerns.
func about(kind, device string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("link: %s %s: %w", kind, device, err)
}

// Remove deletes the router's devices, takes its addresses off untagged ports and the last-resort routes out of its
// table. What is not there is no error; a Table of 0 or of the default VRF is left alone.
func (m *Manager) Remove(r Router) error {
	err := m.removeIf(func(a *netlink.LinkAttrs) bool { return ours(a) && m.aliasOf(a) == AliasPrefix+r.Name }, r.Lines)
	if r.Table == 0 || r.Table == unix.RT_TABLE_MAIN {
		return err
	}
	return errors.Join(err, m.reachable(r.Table))
}

// Prune deletes the router's devices that r does not name any more, and gives back those of the untagged lines it had.
func (m *Manager) Prune(r Router, had []Line) error {
	var gone []Line
	for _, l := range had {
		if l.VLAN == 0 && !r.devices()[l.Device] {
			gone = append(gone, l)
		}
	}
	return m.removeIf(m.leftBy([]Router{r}), gone)
}

// PruneAll deletes the devices that these routers do not name any more, and those that a predecessor made and died before they had an alias: whose they
// were is not known, and nothing was put on them yet. It is for a start, as long as nobody makes devices.
func (m *Manager) PruneAll(rs []Router) error {
	left := m.leftBy(rs)
	return m.removeIf(func(a *netlink.LinkAttrs) bool { return left(a) || ours(a) && a.Alias == "" }, nil)
}

// leftBy matches the routers' devices that they do not name any more.
func (m *Manager) leftBy(rs []Router) func(*netlink.LinkAttrs) bool {
	wanted := make(map[string]map[string]bool, len(rs))
	for _, r := range rs {
		wanted[AliasPrefix+r.Name] = r.devices()
	}
	return func(a *netlink.LinkAttrs) bool {
		names, its := wanted[m.aliasOf(a)]
		return its && ours(a) && !names[a.Name]
	}
}

// devices are the names of those the router needs.
func (r *Router) devices() map[string]bool {
	names := map[string]bool{r.VRF: true}
	add := func(device string, rate Rate) {
		names[device] = true
		if rate.In > 0 {
			names[inlet(device)] = true
		}
	}
	for _, l := range r.Lines {
		add(l.Device, l.Rate)
	}
	for _, t := range r.Tunnels {
		add(t.Device, t.Rate)
	}
	for _, w := range r.Switches {
		add(w.Device, Rate{})
	}
	for _, p := range r.Pairs {
		add(p.Device, p.Rate)
	}
	return names
}

// Cleanup deletes every device, address and rate of ours in the namespace, and nothing else, and returns how many devices.
func (m *Manager) Cleanup() (int, error) {
	links, err := m.nl.LinkList()
	if err != nil {
		return 0, fmt.Errorf("link: list: %w", err)
	}
	n := 0
	for _, l := range links {
		if ours(l.Attrs()) {
			n++
		}
	}
	return n, errors.Join(m.removeRates(), m.removeIf(ours, nil), m.removeAddrs(0), m.openVRFs())
}

// removeIf deletes the devices that match, VRFs last, so that what they enslave goes first, and gives back the untagged lines'
// ports. Outer VLANs go with their last inner one.
func (m *Manager) removeIf(match func(*netlink.LinkAttrs) bool, lines []Line) error {
	links, err := m.nl.LinkList()
	if err != nil {
		return fmt.Errorf("link: list: %w", err)
	}
	var errs []error
	for _, line := range lines {
		if line.VLAN == 0 {
			errs = append(errs, m.releasePort(line.Port))
		}
	}
	for _, vrfs := range []bool{false, true} {
		for _, l := range links {
			if _, isVRF := l.(*netlink.Vrf); isVRF != vrfs || !match(l.Attrs()) {
				continue
			}
			if err := m.del(l); err != nil && !gone(err) {
				errs = append(errs, fmt.Errorf("link: delete %s: %w", l.Attrs().Name, err))
			}
		}
	}
	return errors.Join(errors.Join(errs...), m.sweepOuter())
}

// find returns the device of this name, nil if there is none.
func (m *Manager) find(name string) (netlink.Link, error) {
	l, err := m.nl.LinkByName(name)
	var missing netlink.LinkNotFoundError
	if errors.As(err, &missing) || err != nil && gone(err) {
		return nil, nil
	}
	return l, err
}

// ours says whether we made the device. The group is set with its creation, the alias just after.
func ours(a *netlink.LinkAttrs) bool {
	return a.Group == Group && (a.Alias == "" || strings.HasPrefix(a.Alias, AliasPrefix))
}

// ownedBy returns an error unless the device is the router's own.
func ownedBy(r Router, a *netlink.LinkAttrs) error {
	if ours(a) && (a.Alias == "" || a.Alias == AliasPrefix+r.Name) {
		return nil
	}
	owner := a.Alias
	switch {
	case owner == "":
		owner = "nobody known"
	case owner != OuterAlias && strings.HasPrefix(owner, AliasPrefix): // whoever reads of it may not know that router
		owner = "another router's"
	}
	return fmt.Errorf("a device named %s exists and %w (alias: %s); rename or delete it", a.Name, ErrNotOurs, owner)
}

func gone(err error) bool {
	return errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EADDRNOTAVAIL)
}

// attrs are those of a new device of ours.
func attrs(name string, index int) netlink.LinkAttrs {
	a := netlink.NewLinkAttrs()
	a.Name, a.ParentIndex, a.Group = name, index, Group
	return a
}

// claim finishes a device of ours: alias, master, up.
func (m *Manager) claim(r Router, l netlink.Link, master int) error {
	a := l.Attrs()
	if want := AliasPrefix + r.Name; a.Alias != want {
		if err := m.set(func() error { return m.nl.LinkSetAlias(l, want) }); err != nil {
			return fmt.Errorf("set alias: %w", err)
		}
	}
	m.asked.Delete(a.Name)
	if a.MasterIndex != master {
		if err := m.enslave(l, master); err != nil {
			return err
		}
	}
	return nil
}

func (m *Manager) enslave(l netlink.Link, master int) error {
	var err error
	if master == 0 {
		err = m.set(func() error { return m.nl.LinkSetNoMaster(l) })
	} else {
		err = m.set(func() error { return m.nl.LinkSetMasterByIndex(l, master) })
	}
	if err != nil {
		return fmt.Errorf("put into its VRF: %w", err)
	}
	return nil
}

func (m *Manager) up(l netlink.Link) error {
	if l.Attrs().Flags&net.FlagUp != 0 {
		return nil
	}
	if err := m.set(func() error { return m.nl.LinkSetUp(l) }); err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	return nil
}

// device reads back what is there.
func (m *Manager) device(name string) (Device, error) {
	l, err := m.find(name)
	if err != nil || l == nil {
		return Device{Name: name}, err
	}
	a := l.Attrs()
	const running = unix.IFF_UP | unix.IFF_RUNNING | unix.IFF_LOWER_UP // without LOWER_UP, a device that was just set up seems to run for a moment
	return Device{Name: name, Index: a.Index, Up: a.RawFlags&running == running}, nil
}
