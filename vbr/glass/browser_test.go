package glass

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// browser is a headless Chromium with what it complained of and what it asked for.
type browser struct {
	t          *testing.T
	ctx        context.Context
	shots      string // folder of the screenshots
	mu         sync.Mutex
	complaints []string
	asked      []string
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium-headless-shell", "chromium"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Fatal("no chromium-headless-shell; `make deps-browser` installs it")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()), chromedp.Flag("font-render-hinting", "none"))
	all, stop := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, cancel := chromedp.NewContext(all)
	limited, end := context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(func() {
		if err := chromedp.Cancel(limited); err != nil {
			t.Log(err)
		}
		end()
		cancel()
		stop()
	})
	b := &browser{t: t, ctx: limited, shots: os.Getenv("GLASS_SHOTS")}
	if err := chromedp.Listen(ctx, b.note); err != nil { // which starts it, without a time limit: it would end with that
		t.Fatal(err)
	}
	return b
}

func (b *browser) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *cdplog.EventEntryAdded:
		b.complaints = append(b.complaints, e.Entry.Text+" "+e.Entry.URL)
	case *runtime.EventExceptionThrown:
		b.complaints = append(b.complaints, e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		b.complaints = append(b.complaints, "console: "+string(e.Type))
	case *network.EventRequestWillBeSent:
		b.asked = append(b.asked, e.Request.URL)
	}
}

func (b *browser) run(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// value is what a script says.
func (b *browser) value(script string) string {
	b.t.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("String("+script+")"))
	if err != nil {
		b.t.Fatal(err)
	}
	return text
}

func (b *browser) eventually(script, want string) {
	b.t.Helper()
	got := ""
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if got = b.value(script); got == want {
			return
		}
	}
	b.t.Fatalf("%s is %q and never %q", script, got, want)
}

// look sets the width, in pixels, and whether it is dark.
func (b *browser) look(width int64, scheme string) {
	b.t.Helper()
	b.run(chromedp.EmulateViewport(width, 900))
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, media); err != nil {
		b.t.Fatal(err)
	}
}

// shoot keeps a picture of the page, where somebody wants to see it.
func (b *browser) shoot(name string) {
	b.t.Helper()
	if b.shots == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.shots, name+".png"), png, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// faults is a script that lists what is wrong with a page for people who see little, or use no mouse, or a small screen: "" if nothing is.
const faults = `(() => {
  const found = [];
  const say = (what, e) => found.push(what + ": " + e.outerHTML.slice(0, 160));
  const one = (selector) => { const n = document.querySelectorAll(selector).length; if (n !== 1) found.push(n + " of " + selector); };
  one("h1"); one("main"); one("html[lang]"); one("head > title");
  for (const t of document.querySelectorAll("table")) if (!t.caption || !t.caption.textContent.trim()) say("no caption", t);
  for (const h of document.querySelectorAll("th")) if (!h.scope) say("no scope", h);
  for (const i of document.querySelectorAll("input, select")) if (!i.labels.length) say("no label", i);
  for (const s of document.querySelectorAll("svg")) if (!s.getAttribute("aria-label") && !s.hasAttribute("aria-hidden")) say("no name", s);
  for (const s of document.querySelectorAll(".scroll")) if (s.tabIndex !== 0) say("not reached by keyboard", s);
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) found.push("twice: " + id);
  if (document.documentElement.scrollWidth > innerWidth) found.push("wider than the screen: " + document.documentElement.scrollWidth);
  const number = (c) => (c.match(/[\d.]+/g) || []).map(Number);
  const light = (c) => { const [r, g, b] = number(c).map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (number(c)[3] !== 0) return c; } return "rgb(255, 255, 255)"; };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let n; (n = walk.nextNode()); ) {
    const e = n.parentElement;
    if (!n.textContent.trim() || !e.checkVisibility() || e.closest("script, noscript, title, datalist, option")) continue;
    const style = getComputedStyle(e), front = light(e.closest("svg") ? style.fill : style.color), back = light(behind(e.closest("svg") || e));
    const ratio = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
    if (!(ratio >= 4.5)) say("contrast " + ratio.toFixed(2), e);
  }
  return found.join("\n");
})()`

// Every page, light and dark, wide and narrow: whole, legible, reachable, quiet, and from nowhere else.
func TestBrowser(t *testing.T) {
	w := local(t, nil)
	for i, e := range []*vbrv1.Event{
		{Type: vbrv1.Event_TYPE_APPLIED, Text: "revision 1284: 3 changes"}, {Type: vbrv1.Event_TYPE_SESSION_UP, Router: "vbr-acme", Owner: "acme", Subject: "10.0.0.6", Text: "established with 10.0.0.6 (AS 65001)"},
		{Type: vbrv1.Event_TYPE_ROUTE_QUOTA, Router: "vbr-globex", Subject: "10.1.0.6", Text: "12 of 10.1.0.6's routes are over its route_quota of 110"},
		{Type: vbrv1.Event_TYPE_SESSION_DOWN, Router: "vbr-globex", Subject: "10.1.0.2", Text: "hold timer expired (RFC 4271 6.5)"}, {Type: vbrv1.Event_TYPE_ROUTER_DEGRADED, Router: "vbr-globex", Text: "session 10.1.0.2 is down"},
		{Type: vbrv1.Event_TYPE_DRAINED, Router: "vbr-hooli", Text: "by uid:0(root)"},
	} {
		e.Time = ago(time.Duration(60-10*i) * time.Minute)
		w.events.Append(e)
	}
	b := newBrowser(t)
	pages := map[string]string{"routers": "/", "router": "/router/vbr-acme", "degraded": "/router/vbr-globex", "vpc": "/router/vpc-acme", "routes": "/router/vbr-acme/routes",
		"explain": "/explain?router=vbr-acme&prefix=10.2.3.0%2F24", "events": "/events", "missing": "/router/none"}
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{1400, 360} {
			b.look(width, scheme)
			for name, path := range pages {
				b.run(chromedp.Navigate(w.url(path)))
				if found := b.value(faults); found != "" {
					t.Errorf("%s, %s, %d wide:\n%s", path, scheme, width, found)
				}
				b.shoot(fmt.Sprintf("%s-%s-%d", name, scheme, width))
			}
		}
	}
	if light, dark := background(b, "light"), background(b, "dark"); light == dark {
		t.Error("light as dark:", light)
	}
	for name, f := range map[string]func(*testing.T, *world, *browser){"keyboard": keyboard, "search": search, "events": liveEvents, "refresh": refresh} {
		t.Run(name, func(t *testing.T) {
			was := b.t
			b.t = t
			defer func() { b.t = was }()
			f(t, w, b)
		})
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.complaints {
		if !strings.Contains(c, "404 (Not Found)") { // of the page that is missing
			t.Error("the browser complains:", c)
		}
	}
	for _, u := range b.asked {
		if !strings.HasPrefix(u, w.url("/")) {
			t.Error("the browser asked for", u)
		}
	}
}

func background(b *browser, scheme string) string {
	b.look(1400, scheme)
	return b.value("getComputedStyle(document.documentElement).backgroundColor")
}

// The first key leads past the navigation, and what has the focus shows it.
func keyboard(t *testing.T, w *world, b *browser) {
	b.run(chromedp.Navigate(w.url("/")), chromedp.KeyEvent(kb.Tab))
	if got := b.value("document.activeElement.className + ' ' + (document.activeElement.getBoundingClientRect().left >= 0) + ' ' + getComputedStyle(document.activeElement).outlineStyle"); got != "skip true solid" {
		t.Error(got)
	}
	b.run(chromedp.KeyEvent(kb.Enter))
	if got := b.value("location.hash"); got != "#content" {
		t.Error(got)
	}
}

// A search is typed and sent by keyboard, by the page's own form. The attribute is the answer's: what is typed is none.
func search(t *testing.T, w *world, b *browser) {
	b.run(chromedp.Navigate(w.url("/router/vbr-acme/routes")), chromedp.SendKeys("#search", "10.2.7.0/24"+kb.Enter), chromedp.WaitVisible(`#search[value="10.2.7.0/24"]`), chromedp.WaitVisible("footer"))
	if got := b.value("document.querySelectorAll('tbody tr').length"); got != "1" {
		t.Error(got, "rows")
	}
	b.run(chromedp.Click(`//a[text()="10.2.7.0/24"]`), chromedp.WaitVisible(".paths"))
	if got := b.value("document.querySelector('.summary').textContent"); !strings.Contains(got, "in the kernel") {
		t.Error(got)
	}
}

// Events come by themselves, as text whatever is in them, are said to those who do not see, and can be paused.
func liveEvents(t *testing.T, w *world, b *browser) {
	b.run(chromedp.Navigate(w.url("/events")))
	b.eventually("document.querySelector('[role=status][aria-live=polite]').textContent", "Following: events appear as they happen.")
	w.events.Append(&vbrv1.Event{Type: vbrv1.Event_TYPE_SESSION_DOWN, Router: "vbr-acme", Subject: "10.0.0.6", Text: hostile})
	b.eventually("document.querySelector('#events tbody tr').cells[4].textContent", hostile)
	if got := b.value("document.querySelector('#events tbody tr').cells[1].textContent + document.querySelectorAll('tbody script, tbody img').length + document.querySelector('.status').textContent.includes('session down')"); got != "session down0true" {
		t.Error(got)
	}
	b.shoot("events-live")
	b.run(chromedp.Click("button[type=button]"))
	b.eventually("document.querySelector('.status').textContent", "Paused.")
	eventually(t, "nothing is followed", func() bool { return w.open() == 0 })
	w.events.Append(&vbrv1.Event{Type: vbrv1.Event_TYPE_SESSION_UP, Router: "vbr-acme", Text: "meanwhile"})
	b.run(chromedp.Click("button[type=button]"))
	b.eventually("document.querySelector('#events tbody tr').cells[4].textContent", "meanwhile")
	if got := b.value("[...document.querySelectorAll('#events tbody tr')].length"); got != "8" {
		t.Error(got, "rows")
	}
}

// What changes shows without a reload, unless it is switched off.
func refresh(t *testing.T, w *world, b *browser) {
	b.run(chromedp.Navigate(w.url("/")))
	w.host.more.Store(1)
	b.eventually("document.querySelector('#routers caption').textContent", "7 routers")
	b.run(chromedp.Click(".auto input"))
	w.host.more.Store(2)
	time.Sleep(11 * time.Second) // it would have asked by now
	if got := b.value("document.querySelector('#routers caption').textContent"); got != "7 routers" {
		t.Error(got)
	}
}
