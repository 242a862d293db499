package bgp

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
)

// hostile is one message, or a few, that a peer sends on a live session, and what must come of it. The groups are in the hostile_*_test.go files.
type hostile struct {
	name string
	kind kind
	send []byte
	want want
}

// kind is the session's.
type kind int

const (
	external kind = iota // eBGP over IPv4, IPv4 unicast, four-octet AS numbers, no extended messages
	internal             // iBGP
	twoOctet             // without four-octet AS numbers
	extended             // with extended messages
	six                  // eBGP over IPv6, IPv4 and IPv6 unicast
	onlySix              // over IPv6, IPv6 unicast alone
	before               // no session: send comes instead of the OPEN
	halfway              // no session: send comes after the OPENs
	opening              // send is the OPEN of a session that comes up
)

type outcome string

const (
	reset    outcome = "reset"
	withdraw outcome = "withdraw"
	accept   outcome = "accept" // announced, perhaps without some attributes
	ignore   outcome = "ignore"
	silence  outcome = "silence" // closed without a NOTIFICATION
)

type want struct {
	outcome
	code, subcode byte
	data          []byte // nil: not compared
	has, lacks    string // of the announced route's attributes
}

func ends(code, subcode byte, data ...byte) want {
	return want{outcome: reset, code: code, subcode: subcode, data: data}
}

var withdrawn, ignored, fine = want{outcome: withdraw}, want{outcome: ignore}, want{outcome: accept}

func lacking(s string) want { return want{outcome: accept, lacks: s} }
func having(s string) want  { return want{outcome: accept, has: s} }

// What every session has: a prefix that the hostile message is about, and one that comes after it.
var (
	victim  = bgptest.NLRI("10.1.0.0/16")
	victim6 = bgptest.NLRI("2001:db8:1::/48")
	nh4     = []byte{192, 0, 2, 9}
	nh6     = netip.MustParseAddr("2001:db8::9")
)

const sentinel, sentinel6 = "10.255.0.0/16", "2001:db8:ffff::/48"

func msg(typ byte, body ...byte) []byte { return bgptest.Message(typ, body) }

// announce is an UPDATE of the victim with attributes.
func announce(attrs ...[]byte) []byte {
	return msg(bgptest.UpdateMsg, bgptest.UpdateBody(nil, bgptest.Join(attrs...), victim)...)
}

// basic are the mandatory attributes, and then more.
func basic(more ...[]byte) []byte {
	return bgptest.Join(bgptest.Attr(0x40, 1, 0), bgptest.ASPath(peerASN), bgptest.Attr(0x40, 3, nh4...), bgptest.Join(more...))
}

// plus is an UPDATE of the victim with the mandatory attributes and more.
func plus(more ...[]byte) []byte { return announce(basic(more...)) }

// watcher is a Handler that keeps lines with all attributes.
type watcher struct{ bgptest.Recorder }

func (w *watcher) Update(u Update) {
	w.Add("peer=%v +%v -%v %+v", u.Peer, u.Announced, u.Withdrawn, u.Attrs)
}
func (w *watcher) PeerState(s PeerState) { w.Add("peer=%v up=%v %s", s.Peer, s.Established, s.Reason) }
func (w *watcher) EndOfRIB(peer netip.Addr, v6 bool) {
	w.Add("peer=%v eor v6=%v", peer, v6)
}

// TestHostile sends all of them, each on a session of its own to one speaker, while the session of another tenant's speaker must not flap. It
// runs in a network namespace of its own.
func TestHostile(t *testing.T) {
	if inOwnProcess(t, syscall.CLONE_NEWNET) { // where every IPv6 address is ours
		return
	}
	must(t, netOnce())
	groups := [][]hostile{headers(), opens(), framing(), attributes(), moreAttributes(), multiprotocol(), mixed(), nextHops(), wrongFlags(), others()}
	bystander := newBystander(t)
	total := 0
	for _, g := range groups {
		total += len(g)
		runGroup(t, g)
		bystander.check(t)
	}
	t.Logf("%d hostile messages", total)
	if total < 500 {
		t.Errorf("%d hostile messages, want 500 at least", total)
	}
}

// inOwnProcess runs the test again in a process of its own, in new namespaces if flags say so, beside other tests, and says whether that was it. GoBGP's
// servers of one process cannot start beside each other without a data race, and most tests wait most of the time.
func inOwnProcess(t *testing.T, flags uintptr) bool {
	t.Helper()
	if os.Getenv("VBR_OWN_PROCESS") != "" {
		return false
	}
	t.Parallel()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), "VBR_OWN_PROCESS=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for l := range strings.Lines(string(out)) {
		if strings.Contains(l, "_test.go:") {
			t.Log(strings.TrimSpace(l))
		}
	}
	return true
}

// netOnce makes ready the network namespace of TestHostile.
var netOnce = sync.OnceValue(func() error {
	return exec.Command("sh", "-c", "ip link set lo up && ip addr add fd00::1/128 dev lo nodad && "+
		"ip -6 route add local fd00:1::/64 dev lo && echo 1 >/proc/sys/net/ipv6/ip_nonlocal_bind").Run()
})

// runGroup gives each case a peer of its own and runs them one after another.
func runGroup(t *testing.T, group []hostile) {
	t.Helper()
	log, _ := bgptest.Log(t)
	at, at6 := bgptest.Loopback(), netip.MustParseAddr("fd00::1")
	port := bgptest.FreePort(t, at)
	w := &watcher{}
	s, err := Start(t.Context(), Config{
		ASN: 65001, RouterID: netip.MustParseAddr("10.0.0.1"), Listen: []netip.Addr{at, at6}, Port: port, Log: log,
	}, w)
	must(t, err)
	defer s.Close(true)
	peers := make([]Peer, len(group))
	for i, h := range group {
		peers[i] = h.peer(i)
	}
	must(t, s.SetPeers(peers))
	for i, h := range group {
		to := at
		if !peers[i].Address.Is4() {
			to = at6
		}
		t.Run(h.name, func(t *testing.T) { h.run(t, w, peers[i], netip.AddrPortFrom(to, port)) })
	}
}

func (h *hostile) peer(i int) Peer {
	p := Peer{Address: netip.AddrFrom4([4]byte{127, 9, byte(i >> 8), byte(i)}), ASN: peerASN, IPv4: true, Passive: true}
	switch h.kind {
	case internal:
		p.ASN = 65001
	case six, onlySix:
		p.Address = netip.AddrFrom16([16]byte{0: 0xfd, 3: 1, 14: byte(i >> 8), 15: byte(i)})
		p.IPv4, p.IPv6 = h.kind == six, true
	}
	return p
}

// run plays one case.
func (h *hostile) run(t *testing.T, w *watcher, p Peer, to netip.AddrPort) {
	c, err := bgptest.Connect(t, p.Address, to)
	must(t, err)
	defer c.Close()
	name := fmt.Sprintf("peer=%v ", p.Address)
	switch {
	case h.kind == before:
	case h.kind == halfway:
		c.Send(bgptest.Open, h.open(p.ASN))
		c.Expect(bgptest.Open)
	default:
		if h.kind == opening {
			write(t, c, h.send)
			h.send = nil
		} else {
			c.Send(bgptest.Open, h.open(p.ASN))
		}
		c.Send(bgptest.Keepalive, nil)
		w.Wait(t, 0, name+"up=true")
		write(t, c, h.good(false))
		w.Wait(t, 0, name+"+[")
		if h.kind == six {
			w.Wait(t, 0, name+"+[2001:db8:1::/48]") // the other half of it
			w.Wait(t, 0, name+"+[10.1.0.0/16]")
		}
	}
	mark := w.Len()
	write(t, c, append(bytes.Clone(h.send), h.good(true)...))
	last := "+[" + sentinel
	if h.kind == onlySix {
		last = "+[" + sentinel6
	}
	if h.want.outcome == reset || h.want.outcome == silence {
		h.ended(t, c)
	} else {
		end := w.Wait(t, mark, name+last)
		h.judge(t, ofPeer(w.Lines()[mark:end-1], name))
		c.Close()
	}
	if h.kind == before || h.kind == halfway {
		return
	}
	// GoBGP has a data race between a session's end and an UPDATE of another peer: one at a time.
	down := w.Wait(t, mark, name+"up=false")
	if h.want.outcome == reset || h.want.outcome == silence {
		for _, l := range ofPeer(w.Lines()[mark:down], name) {
			if strings.Contains(l, last) {
				t.Errorf("heard after the end: %s", l)
			}
		}
	}
}

func write(t *testing.T, c *bgptest.Peer, b []byte) {
	t.Helper()
	if _, err := c.Conn().Write(b); err != nil {
		t.Fatal(err)
	}
}

func (h *hostile) open(asn uint32) []byte {
	switch h.kind {
	case twoOctet:
		return openOf(4, uint16(asn), 90, []byte{192, 0, 2, 99}, param(2, bgptest.MP(1, 1)...))
	case extended:
		return bgptest.OpenBody(asn, 90, bgptest.MP(1, 1), []byte{6, 0})
	case six:
		return bgptest.OpenBody(asn, 90, bgptest.MP(1, 1), bgptest.MP(2, 1))
	case onlySix:
		return bgptest.OpenBody(asn, 90, bgptest.MP(2, 1))
	}
	return bgptest.OpenBody(asn, 90, bgptest.MP(1, 1))
}

// good is a well-formed UPDATE: of the victim, or of the sentinel.
func (h *hostile) good(last bool) []byte {
	nlri, nlri6 := victim, victim6
	if last {
		nlri, nlri6 = bgptest.NLRI(sentinel), nil
	}
	attrs := basic()
	switch h.kind {
	case twoOctet:
		attrs = bgptest.Join(bgptest.Attr(0x40, 1, 0), bgptest.Attr(0x40, 2, 2, 1, 0xfe, 0x35), bgptest.Attr(0x40, 3, nh4...))
	case internal:
		attrs = basic(bgptest.Attr(0x40, 5, 0, 0, 0, 100))
	case before, halfway:
		return nil
	case onlySix:
		if last {
			return announce6(sentinel6)
		}
		nlri = nil
	}
	b := []byte{}
	if nlri != nil {
		b = msg(bgptest.UpdateMsg, bgptest.UpdateBody(nil, attrs, nlri)...)
	}
	if (h.kind == six || h.kind == onlySix) && nlri6 != nil {
		b = append(b, announce6("2001:db8:1::/48")...)
	}
	return b
}

// announce6 is an UPDATE of an IPv6 prefix.
func announce6(prefix string) []byte {
	return msg(bgptest.UpdateMsg, bgptest.UpdateBody(nil, bgptest.Join(
		bgptest.Basic(netip.Addr{}, peerASN), bgptest.Reach(2, 1, nh6, bgptest.NLRI(prefix))), nil)...)
}

func ofPeer(lines []string, name string) (l []string) {
	for _, line := range lines {
		if strings.HasPrefix(line, name) {
			l = append(l, line)
		}
	}
	return l
}

// ended reads on until the session's end.
func (h *hostile) ended(t *testing.T, c *bgptest.Peer) {
	t.Helper()
	for {
		typ, body, err := c.Next(5 * time.Second)
		switch {
		case err != nil && h.want.outcome == silence:
			if strings.Contains(err.Error(), "timeout") {
				t.Error("the connection stays open")
			}
			return
		case err != nil:
			t.Fatalf("no NOTIFICATION: %v", err)
		case typ != bgptest.Notification:
			continue
		}
		if h.want.outcome == silence {
			t.Errorf("NOTIFICATION %v", body)
		} else if body[0] != h.want.code || body[1] != h.want.subcode || h.want.data != nil && !bytes.Equal(body[2:], h.want.data) {
			t.Errorf("NOTIFICATION %d/%d %x, want %d/%d %x", body[0], body[1], body[2:], h.want.code, h.want.subcode, h.want.data)
		}
		return
	}
}

// judge looks at what was handed up between the hostile message and the sentinel.
func (h *hostile) judge(t *testing.T, lines []string) {
	t.Helper()
	text := strings.Join(lines, "\n")
	var ok bool
	switch h.want.outcome {
	case withdraw:
		ok = strings.Contains(text, "-[10.1.0.0/16") || strings.Contains(text, "-[2001:db8:1::/48")
		ok = ok && !strings.Contains(text, "+[10") && !strings.Contains(text, "+[2")
	case accept:
		ok = strings.Contains(strings.ReplaceAll(text, "+[]", ""), "+[") && strings.Contains(text, h.want.has) && (h.want.lacks == "" || !strings.Contains(text, h.want.lacks))
	case ignore:
		ok = text == ""
	}
	if !ok || strings.Contains(text, "up=false") {
		t.Errorf("want %s has %q lacks %q, got:\n%s", h.want.outcome, h.want.has, h.want.lacks, text)
	}
}

// bystander is another tenant: a speaker with a session of its own.
type bystander struct {
	w     *watcher
	c     *bgptest.Peer
	round byte
}

func newBystander(t *testing.T) *bystander {
	at, a := bgptest.Loopback(), bgptest.Loopback()
	b := &bystander{w: &watcher{}}
	port := bgptest.FreePort(t, at)
	s, err := Start(t.Context(), Config{ASN: 65002, RouterID: netip.MustParseAddr("10.0.0.2"), Listen: []netip.Addr{at}, Port: port}, b.w)
	must(t, err)
	t.Cleanup(func() { _ = s.Close(true) })
	must(t, s.SetPeers([]Peer{{Address: a, ASN: peerASN, Passive: true}}))
	b.c, err = bgptest.Connect(t, a, netip.AddrPortFrom(at, port))
	must(t, err)
	b.c.Send(bgptest.Open, bgptest.OpenBody(peerASN, 90, bgptest.MP(1, 1)))
	b.c.Send(bgptest.Keepalive, nil)
	b.w.Wait(t, 0, "up=true")
	return b
}

// check: the session works, and has not ended since the last check.
func (b *bystander) check(t *testing.T) {
	t.Helper()
	b.round++
	prefix := fmt.Sprintf("172.16.%d.0/24", b.round)
	b.c.Send(bgptest.Keepalive, nil)
	b.c.Update(nil, basic(), bgptest.NLRI(prefix))
	b.w.Wait(t, 0, "+["+prefix+"]")
	b.w.Never(t, 0, "up=false")
}
