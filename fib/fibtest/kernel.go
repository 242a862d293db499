package fibtest

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// Kernel is one network namespace. Its methods may be called from any goroutine.
type Kernel struct {
	mu       sync.Mutex
	devices  map[int]*device
	nexthops map[uint32]*nexthop
	routes   map[routeKey]*route
	sysctls  map[string]string
	monitors map[*Socket]monitor
	ports    uint32
	refuse   func(Request) unix.Errno
	dropAcks int
	counts   map[uint16]int

	dropAckOf uint16 // a kind, of which counted had been sent then
	counted   int
}

type device struct {
	name    string
	up      bool
	subnets []netip.Prefix
}

// nexthop is a gateway object, or with members a group.
type nexthop struct {
	id       uint32
	protocol uint8
	gateway  netip.Addr
	device   int
	onlink   bool
	members  []groupMember
	buckets  uint16 // of a resilient group
}

type groupMember struct {
	id     uint32
	weight uint8 // less 1, as on the wire
}

type routeKey struct {
	table  uint32
	prefix netip.Prefix
	metric uint32
}

type route struct {
	protocol uint8
	nhid     uint32 // 0: plain
	via      string // of a plain route, as shown
}

type monitor struct {
	own      uint32
	protocol uint8
	metric   uint32
}

// NewKernel returns an empty namespace.
func NewKernel() *Kernel {
	return &Kernel{
		devices: map[int]*device{}, nexthops: map[uint32]*nexthop{}, routes: map[routeKey]*route{},
		sysctls: map[string]string{}, monitors: map[*Socket]monitor{}, ports: 1000, counts: map[uint16]int{},
	}
}

// AddDevice adds a device that is up, with the subnets its addresses cover.
func (k *Kernel) AddDevice(index int, name string, subnets ...netip.Prefix) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.devices[index] = &device{name: name, up: true, subnets: subnets}
	k.notifyLink(index, unix.RTM_NEWLINK)
}

// SetUp takes a device up, or down with all nexthop objects on it, their groups if left empty, and the routes of those, as the kernel does: without
// a notification except of the link.
func (k *Kernel) SetUp(index int, up bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.devices[index].up = up
	if !up {
		k.flush(index)
	}
	k.notifyLink(index, unix.RTM_NEWLINK)
}

// DeleteDevice removes a device, with what hangs on it.
func (k *Kernel) DeleteDevice(index int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.devices[index].up = false
	k.flush(index)
	k.notifyLink(index, unix.RTM_DELLINK)
	delete(k.devices, index)
}

func (k *Kernel) flush(index int) {
	for id, n := range k.nexthops {
		if n.members == nil && n.device == index {
			k.removeNexthop(id)
		}
	}
}

// removeNexthop deletes an object, takes it out of its groups, and deletes what becomes empty with its routes.
func (k *Kernel) removeNexthop(id uint32) {
	delete(k.nexthops, id)
	for key, r := range k.routes {
		if r.nhid == id {
			delete(k.routes, key)
		}
	}
	for gid, g := range k.nexthops {
		was := len(g.members)
		g.members = slices.DeleteFunc(slices.Clone(g.members), func(m groupMember) bool { return m.id == id })
		if was > 0 && len(g.members) == 0 {
			k.removeNexthop(gid)
		}
	}
}

// PlantRoute adds or overwrites a plain route as another program would.
func (k *Kernel) PlantRoute(table uint32, p netip.Prefix, protocol uint8, metric uint32, via string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key := routeKey{table, p, metric}
	k.routes[key] = &route{protocol: protocol, via: via}
	k.notifyRoute(unix.RTM_NEWROUTE, 0, key)
}

// PullRoute deletes a route as another program would.
func (k *Kernel) PullRoute(table uint32, p netip.Prefix, metric uint32) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key := routeKey{table, p, metric}
	if k.routes[key] != nil {
		k.notifyRoute(unix.RTM_DELROUTE, 0, key)
		delete(k.routes, key)
	}
}

// PlantNexthop adds or overwrites a gateway object as another program would.
func (k *Kernel) PlantNexthop(id uint32, protocol uint8, gateway netip.Addr, device int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.nexthops[id] = &nexthop{id: id, protocol: protocol, gateway: gateway, device: device}
	k.notifyNexthop(unix.RTM_NEWNEXTHOP, 0, k.nexthops[id])
}

// PullNexthop deletes a nexthop object as another program would.
func (k *Kernel) PullNexthop(id uint32) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if n := k.nexthops[id]; n != nil {
		k.removeNexthop(id)
		k.notifyNexthop(unix.RTM_DELNEXTHOP, 0, n)
	}
}

// NexthopIDs returns the ids of all objects, ascending.
func (k *Kernel) NexthopIDs() []uint32 {
	k.mu.Lock()
	defer k.mu.Unlock()
	ids := make([]uint32, 0, len(k.nexthops))
	for id := range k.nexthops {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Sysctl returns what was written to a file below /proc/sys.
func (k *Kernel) Sysctl(name string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.sysctls[name]
}

// Request is a message that changes something, for Refuse.
type Request struct {
	Kind   uint16 // RTM_NEWROUTE ...
	Flags  uint16
	Table  uint32
	Prefix netip.Prefix // of a route
	ID     uint32       // of a nexthop object, or the one a route names
}

// Refuse lets tests fail messages: what f returns other than 0 is the answer. Nil ends it. f runs under the kernel's lock and must
// not call it.
func (k *Kernel) Refuse(f func(Request) unix.Errno) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refuse = f
}

// DropAcks lets the next n batches be carried out while their acknowledgement is lost (ENOBUFS).
func (k *Kernel) DropAcks(n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.dropAcks = n
}

// DropAckOf does so for the next batch that has a message of this kind.
func (k *Kernel) DropAckOf(kind uint16) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.dropAckOf, k.counted = kind, k.counts[kind]
}

// Count returns how many messages of a kind (RTM_NEWROUTE ...) sockets have sent, refused ones included.
func (k *Kernel) Count(kind uint16) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.counts[kind]
}

// keys returns the keys of all routes, or of one table's, in order.
func (k *Kernel) keys(want func(routeKey) bool) []routeKey {
	keys := make([]routeKey, 0, len(k.routes))
	for key := range k.routes {
		if want(key) {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b routeKey) int {
		return cmp.Or(cmp.Compare(a.table, b.table), a.prefix.Addr().Compare(b.prefix.Addr()),
			cmp.Compare(a.prefix.Bits(), b.prefix.Bits()), cmp.Compare(a.metric, b.metric))
	})
	return keys
}
