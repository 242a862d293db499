package monitor

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// Config is a Hub's.
type Config struct {
	Collectors        []netip.AddrPort // by TCP, from the process's own network namespace and its main table
	Name, Description string           // of this host, for collectors
	MRT               MRT
	Log               *slog.Logger
}

// Hub joins sources with collectors. A nil one has neither.
type Hub struct {
	cfg Config
	// copying is held while routes are copied, since that takes memory in proportion to them: those of one peer or of one router of the host at a time.
	copying chan struct{}

	mu      sync.Mutex
	sources []*Source
	trouble map[string]string // by what it is about, such as a collector: why it is not served
	queues  map[*queue]bool   // of the connections that there are
}

// New makes a Hub; Run has it work.
func New(cfg Config) *Hub {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Hub{cfg: cfg, copying: make(chan struct{}, 1), queues: make(map[*queue]bool), trouble: make(map[string]string)}
}

// note keeps why something is not served, or "" when it is, and says whether that is news.
func (h *Hub) note(what, why string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	old, was := h.trouble[what]
	if why == "" {
		delete(h.trouble, what)
		return was
	}
	h.trouble[what] = why
	return why != old
}

// Problems are the collectors that are not connected, and what keeps dumps from being written, each with why. A nil Hub has none.
func (h *Hub) Problems() (l []string) {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for what, why := range h.trouble {
		l = append(l, what+": "+why)
	}
	slices.Sort(l)
	return l
}

// Run serves the collectors and writes dumps until the context ends, and returns when all has ended.
func (h *Hub) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, a := range h.cfg.Collectors {
		wg.Go(func() { h.serve(ctx, a) })
	}
	if h.cfg.MRT.Directory != "" {
		wg.Go(func() { h.dumps(ctx) })
	}
	wg.Wait()
}

// Source is what one speaker tells. Its methods are called in order, and return soon; nil is one that nobody listens to.
type Source struct {
	hub      *Hub
	instance instance
	routerID netip.Addr

	mu       sync.Mutex
	queues   map[*queue]bool // of the connections that know of the sessions, and are told what happens
	sessions map[netip.Addr]*Session
	received map[netip.Addr]*received // of the sessions
	told     bool                     // that something could not be told
}

// Add makes a source for a router with its kernel table, 0 if it is in the host's main one.
func (h *Hub) Add(router string, table uint32, routerID netip.Addr) *Source {
	if h == nil {
		return nil
	}
	s := &Source{hub: h, instance: instance{router, table}, routerID: routerID, sessions: make(map[netip.Addr]*Session), received: make(map[netip.Addr]*received)}
	h.mu.Lock()
	defer h.mu.Unlock()
	s.queues = maps.Clone(h.queues)
	h.sources = append(h.sources, s)
	return s
}

// Close ends the source: its sessions are down.
func (s *Source) Close() {
	if s == nil {
		return
	}
	s.hub.mu.Lock()
	s.hub.sources = slices.DeleteFunc(s.hub.sources, func(o *Source) bool { return o == s })
	s.hub.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for a := range s.sessions {
		s.end(a, End{At: time.Now(), Removed: true})
	}
}

// Up tells that a session has come up. Without both OPEN messages there is nothing to tell (RFC 7854 4.10).
func (s *Source) Up(x Session) {
	if s == nil || len(x.Sent) == 0 || len(x.Received) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions[x.Peer.Addr()], s.received[x.Peer.Addr()] = &x, &received{}
	s.push(func() [][]byte { return [][]byte{s.instance.up(&x)} })
}

// Down tells that a session has ended, if it was up.
func (s *Source) Down(peer netip.Addr, why End) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(peer, why)
}

func (s *Source) end(peer netip.Addr, why End) {
	x := s.sessions[peer]
	if x == nil {
		return
	}
	delete(s.sessions, peer)
	delete(s.received, peer)
	s.push(func() [][]byte { return [][]byte{s.instance.down(x, why)} })
}

// Paths tells what an UPDATE has announced and withdrawn.
func (s *Source) Paths(peer netip.Addr, paths []*apiutil.Path, at time.Time) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.sessions[peer]; x != nil {
		if s.received[peer].apply(paths) {
			s.hub.cfg.Log.Warn("a peer's routes are too many to be kept: collectors that connect, and dumps, are without them until its session begins anew",
				"router", s.instance.router, "peer", peer, "octets", receivedOctets)
		}
		s.push(func() [][]byte { return s.encode(x, paths, at) })
	}
}

// EndOfRIB tells that the peer has announced all it has of a family.
func (s *Source) EndOfRIB(peer netip.Addr, v6 bool, at time.Time) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.sessions[peer]; x != nil {
		s.push(func() [][]byte { return [][]byte{s.instance.endOfRIB(x, family(v6), at)} })
	}
}

// encode needs mu.
func (s *Source) encode(x *Session, paths []*apiutil.Path, at time.Time) [][]byte {
	messages, err := s.instance.routes(x, paths, at)
	if err != nil {
		s.complain(x.Peer.Addr(), err)
	}
	return messages
}

// complain needs mu; it does so once.
func (s *Source) complain(peer netip.Addr, err error) {
	if !s.told {
		s.told = true
		s.hub.cfg.Log.Warn("collectors are not told of some routes", "router", s.instance.router, "peer", peer, "err", err)
	}
}

// push needs mu, which keeps the order: it hands messages to all who listen, and makes none for nobody.
func (s *Source) push(encode func() [][]byte) {
	if len(s.queues) == 0 {
		return
	}
	messages := encode()
	for q := range s.queues {
		q.push(messages...)
	}
}

// listen has the queue be told what happens from now on, and returns the sessions that are up, by address. There are none to be told of if the queue has
// been told from the beginning.
func (s *Source) listen(q *queue) []*Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.queues[q] {
		return nil
	}
	s.queues[q] = true
	return s.up()
}

// join has a new connection's queue be told of sources that are yet to come.
func (h *Hub) join(q *queue) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.queues[q] = true
}

// leave has nobody tell a queue anything any more.
func (h *Hub) leave(q *queue) {
	h.mu.Lock()
	delete(h.queues, q)
	h.mu.Unlock()
	for _, s := range h.sorted() {
		s.mu.Lock()
		delete(s.queues, q)
		s.mu.Unlock()
	}
}

// sorted are the sources by router.
func (h *Hub) sorted() []*Source {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.SortedFunc(slices.Values(h.sources), func(a, b *Source) int { return cmp.Compare(a.instance.router, b.instance.router) })
}

// up are the sessions, by address; it needs mu.
func (s *Source) up() []*Session {
	return slices.SortedFunc(maps.Values(s.sessions), func(a, b *Session) int { return a.Peer.Addr().Compare(b.Peer.Addr()) })
}

// alone waits until nobody else copies routes. What it returns lets the next one.
func (h *Hub) alone(ctx context.Context) (release func(), err error) {
	select {
	case h.copying <- struct{}{}:
		return func() { <-h.copying }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// copy is what a peer has announced of a family; of one that has gone meanwhile nothing. over: that was too much, and is not known.
func (s *Source) copy(peer netip.Addr, v6 bool) (paths []*apiutil.Path, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.received[peer]
	if r == nil {
		return nil, false
	}
	return slices.Collect(maps.Values(r.routes[index(v6)])), r.over
}

func family(v6 bool) bgp.Family {
	if v6 {
		return bgp.RF_IPv6_UC
	}
	return bgp.RF_IPv4_UC
}
