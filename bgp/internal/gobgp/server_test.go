package gobgp

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	packet "github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
	"github.com/openvbr/openvbr/bgp/internal/wire"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/eapache/channels.(*InfiniteChannel).infiniteBuffer"))
}

type recorder struct{ bgptest.Recorder }

func (r *recorder) Update(peer netip.Addr, _ *wire.Session, body []byte) {
	r.Add("update peer=%v %d", peer, len(body))
}
func (r *recorder) PeerState(s PeerState) {
	r.Add("peer=%v up=%v reason=%s", s.Peer, s.Established, s.Reason)
}
func (r *recorder) EndOfRIB(peer netip.Addr, f Families) { r.Add("eor peer=%v %v", peer, f) }

func startServer(t *testing.T, edit ...func(*Config)) (*Server, netip.AddrPort, *recorder) {
	t.Helper()
	a := bgptest.Loopback()
	log, _ := bgptest.Log(t)
	cfg := Config{
		ASN: 65001, RouterID: a, Listen: []netip.Addr{a}, Port: bgptest.FreePort(t, a), Families: IPv4 | IPv6, Log: log,
	}
	for _, e := range edit {
		e(&cfg)
	}
	rec := &recorder{}
	s, err := Start(t.Context(), cfg, rec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(true) })
	return s, netip.AddrPortFrom(a, cfg.Port), rec
}

func v4path(t testing.TB, p string, withdrawal bool) *apiutil.Path {
	t.Helper()
	nlri, err := packet.NewIPAddrPrefix(netip.MustParsePrefix(p))
	if err != nil {
		t.Fatal(err)
	}
	nh, err := packet.NewPathAttributeNextHop(netip.IPv4Unspecified())
	if err != nil {
		t.Fatal(err)
	}
	return &apiutil.Path{
		Family: packet.RF_IPv4_UC, Nlri: nlri, Withdrawal: withdrawal,
		Attrs: []packet.PathAttributeInterface{packet.NewPathAttributeOrigin(0), nh},
	}
}

func TestMissed(t *testing.T) {
	var r recent
	up := time.Unix(1000, 0)
	ms := func(n int) time.Time { return up.Add(time.Duration(n) * time.Millisecond) }
	r.record(ms(-5000), []*apiutil.Path{v4path(t, "10.9.0.0/16", false)}) // forgotten
	r.record(ms(-10), []*apiutil.Path{v4path(t, "10.1.0.0/16", false)})   // before
	r.record(ms(10), []*apiutil.Path{v4path(t, "10.2.0.0/16", false), v4path(t, "10.3.0.0/16", true), v4path(t, "10.4.0.0/16", false)})
	r.record(ms(50), []*apiutil.Path{v4path(t, "10.4.0.0/16", true)})   // the last word
	r.record(ms(300), []*apiutil.Path{v4path(t, "10.2.0.0/16", false)}) // sent for sure
	if len(r.ops) != 6 {
		t.Errorf("%d changes kept, want 6", len(r.ops))
	}
	add, del := r.missed(up, up)
	name := func(l []*apiutil.Path) (s []string) {
		for _, p := range l {
			s = append(s, p.Nlri.String())
		}
		return s
	}
	if diff := cmp.Diff([]string(nil), name(add)); diff != "" {
		t.Errorf("add (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"10.3.0.0/16", "10.4.0.0/16"}, name(del)); diff != "" {
		t.Errorf("delete (-want +got)\n%s", diff)
	}
	if add, _ := r.missed(up, ms(250)); len(add) != 1 {
		t.Errorf("with a later session: %v", name(add))
	}
	if add, del := r.missed(ms(2000), ms(2000)); add != nil || del != nil {
		t.Errorf("nothing is missed later: %v %v", name(add), name(del))
	}
}

// TestSettle repeats a change for a peer that missed it, and only what it missed.
func TestSettle(t *testing.T) {
	s, at, rec := startServer(t)
	a := bgptest.Loopback()
	if err := s.SetPeers([]Neighbour{{Address: a, ASN: 65002, Families: IPv4, Passive: true}}); err != nil {
		t.Fatal(err)
	}
	p := bgptest.Dial(t, a, at, 65002, bgptest.MP(1, 1))
	rec.Wait(t, 0, "up=true")
	time.Sleep(3 * settleWindow)
	expect := func(withdrawn, nlri string) {
		t.Helper()
		body := p.Expect(bgptest.UpdateMsg)
		if got := fmt.Sprintf("%x", body); !strings.Contains(got, withdrawn) || !strings.HasSuffix(got, nlri) {
			t.Errorf("update %s: want withdrawn %q, announced %q", got, withdrawn, nlri)
		}
	}
	at0 := time.Now()
	if err := s.Add([]*apiutil.Path{v4path(t, "10.1.0.0/16", false)}); err != nil {
		t.Fatal(err)
	}
	expect("", "100a01")
	s.settle(t.Context(), []netip.Addr{a}, at0, at0)
	expect("", "100a01")

	at0 = time.Now().Add(1) // after the addition
	if err := s.Delete([]*apiutil.Path{v4path(t, "10.1.0.0/16", true)}); err != nil {
		t.Fatal(err)
	}
	expect("0003100a01", "")
	s.settle(t.Context(), []netip.Addr{a}, at0, at0)
	typ, body, err := p.Next(5 * time.Second)
	for err == nil && typ == bgptest.UpdateMsg && !strings.Contains(fmt.Sprintf("%x", body), "0003100a01") {
		typ, body, err = p.Next(5 * time.Second) // the revival, when it was not overtaken
	}
	if err != nil {
		t.Errorf("no repeated withdrawal: %v", err)
	}
}

func TestReasonText(t *testing.T) {
	for _, c := range []struct {
		reason  api.PeerState_DisconnectReason
		message string
		want    string
	}{
		{api.PeerState_DISCONNECT_REASON_NOTIFICATION_RECEIVED, "notification-received code 6(cease) subcode 2(administrative shutdown)", "peer closed the session: cease/administrative shutdown"},
		{api.PeerState_DISCONNECT_REASON_NOTIFICATION_SENT, "notification-sent code 4(hold timer expired) subcode 0(undefined)", "closed towards the peer: hold timer expired"},
		{api.PeerState_DISCONNECT_REASON_NOTIFICATION_SENT, "notification-sent code 3(update) subcode 200(undefined)", "closed towards the peer: update message error/subcode 200"},
		{api.PeerState_DISCONNECT_REASON_NOTIFICATION_RECEIVED, "gibberish", "peer closed the session: unknown notification"},
		{api.PeerState_DISCONNECT_REASON_UNSPECIFIED, "", ""},
	} {
		if got := reasonText(c.reason, c.message); got != c.want {
			t.Errorf("%v %q: %q, want %q", c.reason, c.message, got, c.want)
		}
	}
}

// TestCapabilitiesSurviveListPeer guards Peers and the watchdog: GoBGP's ListPeer takes the process
// down when a capability that a peer sent does not come through encoding and decoding again.
func TestCapabilitiesSurviveListPeer(t *testing.T) {
	codes := []byte{1, 2, 4, 5, 6, 64, 65, 69, 70, 71, 73, 75, 128, 200}
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.SliceOfN(rapid.Byte(), 0, 251).Draw(t, "value")
		b := append([]byte{rapid.SampledFrom(codes).Draw(t, "code"), byte(len(v))}, v...)
		c, err := packet.DecodeCapability(b)
		if err != nil {
			return
		}
		out, err := c.Serialize()
		if err != nil {
			t.Fatalf("%x: %v", b, err)
		}
		back, err := packet.DecodeCapability(out)
		if err != nil {
			t.Fatalf("%x -> %x: %v", b, out, err)
		}
		if _, err := apiutil.MarshalCapability(back); err != nil {
			t.Fatalf("%x: %v", b, err)
		}
	})
}

func TestLogLevels(t *testing.T) {
	var text bgptest.LogText
	next := slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelInfo})
	n := &notes{}
	log := slog.New(&logHandler{next: next, notes: n, hooks: hooks{up: func(string) {}, lost: func(string) {}, down: func(string) {}, state: func(string, string) {}}})
	peer := log.With("Topic", "Peer", "Key", "192.0.2.9")
	peer.Warn("Closed an accepted connection")
	peer.Warn("the received Update message was treated as withdraw", "Error", "bad")
	peer.Warn("the received Update message was treated as withdraw", "Error", "bad")
	log.Warn("failed to serialize", "Topic", "Peer", "Key", "192.0.2.8", "Err", "too long")
	log.Info("Can't find configuration for a new passive connection", "Topic", "Server", "Key", "203.0.113.1")
	peer.Info(msgSentNotify, "Code", 2, "Subcode", 11)

	got := text.String()
	if c := strings.Count(got, "\n"); c != 2 || strings.Count(got, "level=WARN") != 1 || strings.Count(got, "level=ERROR") != 1 {
		t.Errorf("log:\n%s", got)
	}
	if r := n.lastReason("192.0.2.9"); r != "closed towards the peer: open message error/role mismatch" {
		t.Errorf("reason %q", r)
	}
	if _, ok := n.peers["203.0.113.1"]; ok {
		t.Error("a stranger is remembered")
	}
	peer.Info("Peer Up")
	if peer.Enabled(t.Context(), slog.LevelDebug) {
		t.Error("debug records are made for a session that is up")
	}
}

func TestListenersAreBoundToTheDevice(t *testing.T) {
	_, at, _ := startServer(t, func(c *Config) { c.Device = "lo" })
	out, err := exec.Command("ss", "-Htln", "src", at.Addr().String()).CombinedOutput()
	if err != nil || !strings.Contains(string(out), fmt.Sprintf("%v%%lo:%d", at.Addr(), at.Port())) {
		t.Errorf("ss: %v\n%s", err, out)
	}
}

func TestNoBFDSocket(t *testing.T) {
	s, _, _ := startServer(t)
	if err := s.SetPeers([]Neighbour{{Address: bgptest.Loopback(), ASN: 65002, Families: IPv4, Passive: true}}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1500 * time.Millisecond) // its server looks once a second
	out, err := exec.Command("ss", "-Hulnp", "sport", "=", ":3784").CombinedOutput()
	if err != nil || strings.Contains(string(out), "gobgp.test") {
		t.Errorf("ss: %v\n%s", err, out)
	}
}

func TestEnding(t *testing.T) {
	for _, c := range []struct {
		reason  api.PeerState_DisconnectReason
		message string
		want    Ending
	}{
		{api.PeerState_DISCONNECT_REASON_NOTIFICATION_RECEIVED, "notification-received code 6(cease) subcode 2(administrative shutdown)", Ending{Code: 6, Subcode: 2, ByPeer: true}},
		{api.PeerState_DISCONNECT_REASON_NOTIFICATION_SENT, "notification-sent code 3(update) subcode 200(undefined)", Ending{Code: 3, Subcode: 200}},
		{api.PeerState_DISCONNECT_REASON_HARD_RESET, "", Ending{Code: 6, Subcode: 9, ByPeer: true}},
		{api.PeerState_DISCONNECT_REASON_HOLD_TIMER_EXPIRED, "", Ending{Code: 4}},
		{api.PeerState_DISCONNECT_REASON_READ_FAILED, "", Ending{Lost: true}},
		{api.PeerState_DISCONNECT_REASON_ADMIN_DOWN, "", Ending{}},
	} {
		if got := endingOf(c.reason, c.message); got != c.want {
			t.Errorf("%v %q: %+v, want %+v", c.reason, c.message, got, c.want)
		}
	}
}
