package top

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/types/known/timestamppb"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// at is the host some seconds after noon: acme takes in 5 updates and 10 routes a second, beta is broken.
func at(seconds int) *Sample {
	n := uint32(seconds)
	return &Sample{
		At: noon.Add(time.Duration(seconds) * time.Second),
		Host: &vbrv1.GetHostResponse{Host: "edge1", Version: "1.2", StartTime: timestamppb.New(noon.Add(-time.Hour)), Routers: 2, RoutersDegraded: 1,
			Sessions: 2, SessionsEstablished: 1, Routes: uint64(1000 + 10*n)},
		Routers: []*vbrv1.RouterStatus{
			{Name: "vbr-acme", State: vbrv1.RouterStatus_STATE_READY, Sessions: 1, SessionsEstablished: 1,
				Routes: &vbrv1.RouteCounts{Received: 1001 + 10*n, Kernel: 1000 + 10*n, Rejected: map[string]uint32{"as-loop": 1}}},
			{Name: "vbr-beta-with-a-name-that-is-long", State: vbrv1.RouterStatus_STATE_DEGRADED, Sessions: 1},
		},
		Sessions: []*vbrv1.BgpSession{
			{Router: "vbr-acme", PeerIpAddress: "10.0.0.2", BgpStatus: "established", ReceivedRouteCount: 1001 + 10*n, AdvertisedRouteCount: 3,
				UpdatesReceived: uint64(100 + 5*n), UpdatesSent: 7},
			{Router: "vbr-beta-with-a-name-that-is-long", PeerIpAddress: "2001:db8:1234:5678:9abc:def0:1234:5678", BgpStatus: "active", UpdatesReceived: uint64(100 - n)},
		},
	}
}

// fed is a model that has seen samples.
func fed(t *testing.T, samples ...*Sample) Model {
	t.Helper()
	m := New(t.Context(), nil, 2*time.Second, false)
	for _, s := range samples {
		m = step(t, m, sampled{sample: s})
	}
	return m
}

func step(t *testing.T, m Model, msg tea.Msg) Model {
	t.Helper()
	next, _ := m.Update(msg)
	return next.(Model)
}

func press(t *testing.T, m Model, keys ...string) Model {
	t.Helper()
	special := map[string]rune{"tab": tea.KeyTab, "down": tea.KeyDown, "up": tea.KeyUp, "end": tea.KeyEnd, "home": tea.KeyHome, "pgdown": tea.KeyPgDown,
		"pgup": tea.KeyPgUp, "space": tea.KeySpace}
	for _, k := range keys {
		msg := tea.KeyPressMsg{Code: special[k]}
		if msg.Code == 0 {
			msg = tea.KeyPressMsg{Code: []rune(k)[0], Text: k}
		}
		m = step(t, m, msg)
	}
	return m
}

// trimmed is a screen without what pads it.
func trimmed(screen string) string {
	lines := strings.Split(screen, "\n")
	var out []string
	for i, l := range lines {
		if l = strings.TrimRight(l, " "); l != "" || i < headLines {
			out = append(out, l)
		}
	}
	return "\n" + strings.Join(out, "\n") + "\n"
}

const routersScreen = `
edge1  vbrd 1.2, up 01:00:02, 12:00:02 every 2s
2 routers (1 degraded), 2 sessions (1 up), 1020 routes (10/s), 5.0 updates/s


Name▾                     State     Peers  Rcvd  Rejct  Kernel  ±/s  Upd/s
vbr-acme                  ready       1/1  1021      1    1020   10    5.0
vbr-beta-with-a-name-th…  degraded    0/1     0      0       0    0      0
q quit tab sessions i invert | Name State Peers Rcvd reJect Kernel Delta Upd
`

const sessionsScreen = `
edge1  vbrd 1.2, up 01:00:02, 12:00:02 every 2s
2 routers (1 degraded), 2 sessions (1 up), 1020 routes (10/s), 5.0 updates/s


Name▾               Peer                  State        Rcvd  Advd  Upd/s  Out/s
vbr-acme            10.0.0.2              Established  1021     3    5.0      0
vbr-beta-with-a-n…  2001:db8:…:1234:5678  Active          0     0      0      0
q quit tab routers i invert | Name Peer State Rcvd Advd Upd Out
`

func TestScreens(t *testing.T) {
	m := fed(t, at(0), at(2))
	m.width, m.height = 80, 24
	if got := trimmed(m.screen()); got != routersScreen {
		t.Errorf("routers: got%swant%s", got, routersScreen)
	}
	if got := trimmed(press(t, m, "tab").screen()); got != sessionsScreen {
		t.Errorf("sessions: got%swant%s", got, sessionsScreen)
	}
}

// Whatever the screen's size, nothing is wider or longer than it.
func TestFits(t *testing.T) {
	m := fed(t, at(0), at(2))
	m.colour = true
	for range 100 {
		m.now.Routers = append(m.now.Routers, m.now.Routers[0])
	}
	for _, size := range []tea.WindowSizeMsg{{Width: 80, Height: 24}, {Width: 10, Height: 3}, {Width: 1, Height: 1}, {Width: 200, Height: 50}} {
		for _, keys := range [][]string{nil, {"tab"}, {"end"}, {"end", "down", "tab"}} {
			lines := strings.Split(press(t, step(t, m, size), keys...).screen(), "\n")
			if len(lines) > size.Height {
				t.Errorf("%v %v: %d lines", size, keys, len(lines))
			}
			for _, l := range lines {
				if w := ansi.StringWidth(l); w > size.Width {
					t.Errorf("%v %v: %d columns: %q", size, keys, w, l)
				}
			}
		}
	}
}

func names(m Model) string {
	var out []string
	for _, r := range sort(&m, routerColumns(), m.now.Routers) {
		out = append(out, r.GetName()[:8])
	}
	return strings.Join(out, " ")
}

func TestSorting(t *testing.T) {
	m := fed(t, at(0), at(2))
	for _, tt := range []struct{ keys, want string }{
		{"n", "vbr-acme vbr-beta"}, {"s", "vbr-beta vbr-acme"}, {"p", "vbr-beta vbr-acme"}, {"k", "vbr-acme vbr-beta"}, {"u", "vbr-acme vbr-beta"},
		{"d", "vbr-acme vbr-beta"}, {"ni", "vbr-beta vbr-acme"}, {"nii", "vbr-acme vbr-beta"}, {"?", "vbr-acme vbr-beta"},
	} {
		if got := names(press(t, m, strings.Split(tt.keys, "")...)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.keys, got, tt.want)
		}
	}
}

func TestScrolling(t *testing.T) {
	m := fed(t, at(0))
	for i := range 30 {
		m.now.Routers = append(m.now.Routers, &vbrv1.RouterStatus{Name: fmt.Sprintf("vbr-z%02d", i)})
	}
	for _, tt := range []struct {
		keys []string
		want int
	}{
		{[]string{"up"}, 0}, {[]string{"down", "down"}, 2}, {[]string{"end"}, 32 - 18}, {[]string{"end", "down"}, 32 - 18}, {[]string{"end", "home"}, 0},
		{[]string{"pgdown"}, 14}, {[]string{"end", "pgup", "pgup"}, 0}, {[]string{"end", "tab"}, 0},
	} {
		if got := press(t, m, tt.keys...).scroll; got != tt.want {
			t.Errorf("%v: at %d, want %d", tt.keys, got, tt.want)
		}
	}
	m = step(t, press(t, m, "end"), sampled{sample: at(2)}) // fewer rows now
	if m = press(t, m, "up"); m.scroll != 0 {
		t.Errorf("at %d of 2 rows", m.scroll)
	}
}

func TestPauseAndTrouble(t *testing.T) {
	m := press(t, fed(t, at(0)), "space")
	if m = step(t, m, sampled{sample: at(2)}); m.now.At != noon || !strings.Contains(m.screen(), "paused") {
		t.Errorf("goes on while paused: %s", m.screen())
	}
	m = step(t, m, sampled{err: errors.New("vbrd went away\x1b[2J")})
	if v := m.screen(); !strings.Contains(v, `! vbrd went away\x1b[2J`) || !strings.Contains(v, "vbr-acme") {
		t.Errorf("no trouble shown, or no rows:\n%s", v)
	}
	m.failed, m.now.Host.Problems = nil, []string{"etcd is away", "more"}
	if v := m.screen(); !strings.Contains(v, "! etcd is away (and 1 more, see vbrctl show host)") {
		t.Errorf("got\n%s", v)
	}
}

func TestBeforeTheFirstSample(t *testing.T) {
	if v := fed(t).screen(); !strings.Contains(v, "waiting for vbrd") {
		t.Errorf("got\n%s", v)
	}
}

// The program runs, asks, draws, and ends on q.
func TestProgram(t *testing.T) {
	asked := make(chan struct{}, 100)
	source := func(context.Context) (*Sample, error) {
		asked <- struct{}{}
		return at(len(asked)), nil
	}
	var out bytes.Buffer
	p := tea.NewProgram(New(t.Context(), source, time.Millisecond, false), tea.WithInput(nil), tea.WithOutput(&out), tea.WithoutSignals(), tea.WithWindowSize(80, 24))
	go func() {
		for range 3 {
			<-asked
		}
		p.Send(tea.KeyPressMsg{Code: 'q', Text: "q"})
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	context.AfterFunc(ctx, p.Kill)
	if _, err := p.Run(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "vbr-acme") {
		t.Errorf("drew %q", out.String())
	}
}
