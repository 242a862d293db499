package gobgp

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

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
	log := slog.New(&logHandler{next: next, notes: n, hooks: hooks{up: func(string) {}, state: func(string, string) {}}})
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
