package vbr

import (
	"net/netip"
	"reflect"
	"slices"
	"sync"

	"github.com/openvbr/openvbr/bgp"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/policy"
	"github.com/openvbr/openvbr/vbr/rib"
)

// way is one way to tell the customer's peers of a family: a table of the speaker, by the name that peerRules.table gives it, with what these peers
// may hear as they are to hear it. It stays as it is, but for what exporter.mu guards.
type way struct {
	table string
	text  *intent.RoutePolicy // the export policy as written; nil: the default
	by    *policy.Policy      // nil: all is told
	otc   uint32              // ONLY_TO_CUSTOMER, 0 for none

	due     bool                      // all that is for the customer is to be put into the table; guarded by exporter.mu, as the next
	leaving bool                      // no peer is to be told by it any longer
	denied  map[netip.Prefix]struct{} // what is for the customer and is not told
}

// exporter knows the ways in which the customer's peers are told. The actor alone changes them.
type exporter struct {
	mu   sync.Mutex
	ways [2][]*way // IPv4, IPv6; replaced, never changed in place
}

// table is the speaker's table that the peer is told: there is one for each export policy, with ONLY_TO_CUSTOMER and without. No policy's name has a space.
func (x *peerRules) table() string {
	var name string
	if x.out != nil {
		name = x.out.Name
	}
	if x.Role != "" {
		name += " otc"
	}
	return name
}

// newWay is how a peer with these rules is told; had is what its table was before, nil if there was none.
func newWay(had *way, rules *peerRules, asn uint32) *way {
	w := &way{table: rules.table(), text: rules.out, due: true}
	if rules.Role != "" { // RFC 9234 5
		w.otc = asn
	}
	if had != nil && had.otc == w.otc && reflect.DeepEqual(had.text, w.text) {
		had.leaving = false
		return had
	}
	by, err := compileExport(w.text)
	if err != nil { // newPeerRules has compiled it
		panic(err)
	}
	if w.by = by; had != nil {
		w.denied = had.denied
	}
	return w
}

func findWay(ways []*way, table string) *way {
	if i := slices.IndexFunc(ways, func(w *way) bool { return w.table == table }); i >= 0 {
		return ways[i]
	}
	return nil
}

// take has the ways be those of a spec's peers: what is new or other than it was is due to be filled, what no peer uses stays until left.
func (x *exporter) take(s *spec) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for f, had := range x.ways {
		var now []*way
		for i := range s.peers {
			if p := &s.peers[i]; p.carries(f == 1) && findWay(now, p.rules.table()) == nil {
				now = append(now, newWay(findWay(had, p.rules.table()), &p.rules, s.asn))
			}
		}
		for _, w := range had {
			if findWay(now, w.table) == nil {
				w.leaving = true
				now = append(now, w)
			}
		}
		x.ways[f] = now
	}
}

// of are the ways in which a prefix may be told; for the actor.
func (x *exporter) of(prefix netip.Prefix) []*way { return x.ways[boolIndex(prefix.Addr().Is6())] }

// way is that of a table; nil if there is none.
func (x *exporter) way(six bool, table string) *way {
	x.mu.Lock()
	defer x.mu.Unlock()
	return findWay(x.ways[boolIndex(six)], table)
}

// unfilled are the ways whose tables are to be filled.
func (x *exporter) unfilled() (due [2][]*way) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for f, ways := range x.ways {
		for _, w := range ways {
			if w.due {
				due[f] = append(due[f], w)
			}
		}
	}
	return due
}

// filled takes in that their tables are.
func (x *exporter) filled(ways [2][]*way) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, w := range slices.Concat(ways[0], ways[1]) {
		w.due = false
	}
}

// left forgets the ways that no peer uses and returns them.
func (x *exporter) left() (gone [2][]*way) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for f, ways := range x.ways {
		var stay []*way
		for _, w := range ways {
			if w.leaving {
				gone[f] = append(gone[f], w)
			} else {
				stay = append(stay, w)
			}
		}
		x.ways[f] = stay
	}
	return gone
}

// judge says whether a prefix is told in one way, and notes it.
func (x *exporter) judge(w *way, prefix netip.Prefix, a *rib.Attrs) policy.Outcome {
	o := w.outcome(prefix, a)
	if o.Accept && len(w.denied) == 0 { // the actor alone changes it
		return o
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case o.Accept:
		delete(w.denied, prefix)
	case w.denied == nil:
		w.denied = map[netip.Prefix]struct{}{prefix: {}}
	default:
		w.denied[prefix] = struct{}{}
	}
	return o
}

// outcome is what becomes of a route in this way.
func (w *way) outcome(prefix netip.Prefix, a *rib.Attrs) policy.Outcome {
	switch {
	case bgp.Withheld(a.Communities) != "":
		return policy.Outcome{}
	case w.by == nil:
		return policy.Outcome{Accept: true}
	}
	return a.Judge(w.by, prefix)
}

// gone forgets a prefix that is no longer for the customer.
func (x *exporter) gone(w *way, prefix netip.Prefix) {
	if len(w.denied) == 0 {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(w.denied, prefix)
}

// forget forgets all that is not told, because all is about to be judged anew.
func (x *exporter) forget() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, w := range slices.Concat(x.ways[0], x.ways[1]) {
		w.denied = nil
	}
}

// tells says whether a prefix that is for the customer is told in one of these ways.
func (x *exporter) tells(ways []*way, prefix netip.Prefix) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.ContainsFunc(ways, func(w *way) bool { return !w.denies(prefix) })
}

// untold counts what is for the customer and is told in none of these ways.
func (x *exporter) untold(ways []*way) (n int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(ways) == 0 {
		return 0
	}
	least := slices.MinFunc(ways, func(a, b *way) int { return len(a.denied) - len(b.denied) })
	if len(ways) == 1 {
		return len(least.denied)
	}
	for prefix := range least.denied {
		n += boolIndex(!slices.ContainsFunc(ways, func(w *way) bool { return !w.denies(prefix) }))
	}
	return n
}

// denies needs exporter.mu.
func (w *way) denies(prefix netip.Prefix) bool {
	_, denied := w.denied[prefix]
	return denied
}
