package bgp

import (
	"testing"
)

// A neighbour that waits hears nothing before Tell, and all then; others hear as ever, and so does it itself once it has been told or is added anew.
func TestWait(t *testing.T) {
	a, b, c := startNode(t, 64512), startNode(t, 65001), startNode(t, 65002)
	toB, toC := b.as(from(a)), c.as(from(a))
	waits := toB
	waits.Wait = true
	advertise := func(p string) { must(t, a.Advertise("", []Advertisement{{Prefix: prefix(p)}})) }

	advertise("10.1.0.0/16")
	must(t, a.SetPeers([]Peer{waits, toC}))
	for _, n := range []*node{b, c} {
		must(t, n.SetPeers([]Peer{a.as(from(n), passive)}))
	}
	m := b.rec.Wait(t, 0, up(a)...)
	c.rec.Wait(t, 0, "+[10.1.0.0/16]")
	advertise("10.2.0.0/16")
	c.rec.Wait(t, 0, "+[10.2.0.0/16]")
	must(t, a.SetPeers([]Peer{toB, toC})) // says nothing of one that is there
	b.rec.Never(t, 0, "+[10.")
	for range 2 {
		must(t, a.Tell(t.Context(), b.addr))
	}
	b.rec.Wait(t, m, "10.1.0.0/16")
	b.rec.Wait(t, m, "10.2.0.0/16")
	advertise("10.3.0.0/16")
	m = b.rec.Wait(t, m, "+[10.3.0.0/16]")

	must(t, a.SetPeers([]Peer{toC}))
	m = b.rec.Wait(t, m, down(a)...)
	must(t, a.SetPeers([]Peer{toB, toC}))
	b.rec.Wait(t, m, "10.3.0.0/16")
}

// One that is taken out while it waits leaves nothing behind.
func TestWaitRemoved(t *testing.T) {
	a, b := startNode(t, 64512), startNode(t, 65001)
	waits := b.as(from(a))
	waits.Wait = true
	must(t, a.Advertise("", []Advertisement{{Prefix: prefix("10.1.0.0/16")}}))
	must(t, a.SetPeers([]Peer{waits}))
	must(t, a.SetPeers(nil))
	pair(t, a, b, nil, nil)
	b.rec.Wait(t, 0, "+[10.1.0.0/16]")
}
