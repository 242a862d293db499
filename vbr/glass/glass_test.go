package glass

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/pkitest"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/api"
)

// get asks for a path, with further fields of the head in pairs, and returns the status and the text.
func (w *world) get(c *http.Client, method, path string, fields ...string) (*http.Response, string) {
	w.t.Helper()
	scheme := "http"
	if c.Transport.(*http.Transport).TLSClientConfig != nil {
		scheme = "https"
	}
	host := w.door.Addr().String()
	if w.door.Addr().Network() == "unix" {
		host = "vbrd"
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, scheme+"://"+host+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
		if fields[i] == "Host" {
			r.Host = fields[i+1]
		}
	}
	a, err := c.Do(r)
	if err != nil {
		w.t.Fatal(method, path, err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil {
		w.t.Fatal(method, path, err)
	}
	return a, string(body)
}

// Only GET and HEAD, only as the loopback, nothing for other sites; and each answer says what a browser may do with it.
func TestGuards(t *testing.T) {
	w := local(t, nil)
	c := w.client()
	for _, tt := range []struct {
		name, method, path string
		fields             []string
		want               int
	}{
		{"OK: page", "GET", "/", nil, 200},
		{"OK: head", "HEAD", "/", nil, 200},
		{"OK: through a tunnel", "GET", "/", []string{"Host", "localhost:8080"}, 200},
		{"OK: IPv6", "GET", "/", []string{"Host", "[::1]:9343"}, 200},
		{"OK: a link from elsewhere", "GET", "/", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 200},
		{"OK: our own script", "GET", "/", []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors"}, 200},
		{"OK: style", "GET", "/static/glass.css", nil, 200},
		{"bad: post", "POST", "/", nil, 405},
		{"bad: delete", "DELETE", "/router/vbr-acme", nil, 405},
		{"bad: connect", "OPTIONS", "/", nil, 405},
		{"bad: rebound name", "GET", "/", []string{"Host", "evil.example:9343"}, 421},
		{"bad: rebound name, script", "GET", "/events/stream", []string{"Host", "localhost.evil.example"}, 421},
		{"bad: another address of the host", "GET", "/", []string{"Host", "192.0.2.1"}, 421},
		{"bad: embedded elsewhere", "GET", "/static/icon.svg", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, 403},
		{"bad: asked by another port of the host", "GET", "/", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors"}, 403},
		{"bad: page", "GET", "/nothing", nil, 404},
		{"bad: listing", "GET", "/static/", nil, 404},
		{"bad: template", "GET", "/pages/frame.html", nil, 404},
		{"bad: router", "GET", "/router/none", nil, 404},
		{"bad: prefix", "GET", "/router/vbr-acme/routes?search=10.0.0.0/99", nil, 400},
		{"bad: peer", "GET", "/router/vbr-acme/routes?stage=advertised&peer=10.0.0.9", nil, 400},
		{"bad: explained prefix", "GET", "/explain?router=vbr-acme&prefix=a+b", nil, 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, body := w.get(c, tt.method, tt.path, tt.fields...)
			if a.StatusCode != tt.want {
				t.Errorf("%s, want %d: %s", a.Status, tt.want, body)
			}
			h := a.Header
			if h.Get("Content-Security-Policy") != policy || h.Get("X-Frame-Options") != "DENY" || h.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(h.Get("Cache-Control"), "no-") {
				t.Errorf("%v", h)
			}
			if tt.method == "HEAD" && body != "" {
				t.Error("a body of HEAD")
			}
		})
	}
	a, _ := w.get(c, "GET", "/static/glass.js")
	if again, _ := w.get(c, "GET", "/static/glass.js", "If-None-Match", a.Header.Get("ETag")); again.StatusCode != http.StatusNotModified {
		t.Error(again.Status)
	}
}

// The pages have what the API has, and what customers write stays text.
func TestPages(t *testing.T) {
	w := local(t, nil)
	w.events.Append(&vbrv1.Event{Type: vbrv1.Event_TYPE_SESSION_DOWN, Router: "vbr-odd", Subject: hostile, Text: hostile})
	c := w.client()
	for path, want := range map[string][]string{
		"/":                        {"edge-fra-1", "vbr-globex", "degraded", "terminated", "37\u202f797", "110 of 110, 12 over", "route quota: 12 of 10.1.0.6", "revision 1284", "uid:"},
		"/?search=globex":          {"1 router with", "vbr-globex"},
		"/router/vbr-acme":         {"AS 64512", "table 10001", "martian 12", "18\u202f451 of 25\u202f000", "ri-acme-prod", "79 % of the budget left", "budget overspent by 80 %", "missed", "<svg viewBox", "median ", "sent, ", "eth2.100", "Up, 900 ms"},
		"/router/vbr-acme?span=7d": {"in parts of 6h"},
		"/router/vpc-acme":         {"the router of a VPC", "br-vsw-a", "tap1 tap2"},
		"/router/vbr-globex":       {"hold timer expired (RFC 4271 6.5)"},
		"/router/vbr-acme/routes?stage=advertised&peer=10.0.0.2": {"of peer <span class=\"mono\">10.0.0.2</span>", `name="peer" value="10.0.0.2"`, "peer=10.0.0.2&amp;stage=advertised"},
		"/router/vbr-acme/routes":                                {"10.2.0.0/24", "rejected: as-loop", "backup", "65001 65010", "?page=2"},
		"/explain":                                               {"Why is a prefix"},
		"/explain?router=vbr-acme&prefix=10.2.3.4":               {"the longest match", "via 10.0.0.2 dev eth1.100", "backup", "its export policy lab-out denies it", "term 20 of acme-in permits it", "LOCAL_PREF – → 200", "10.0.0.6 takes over at once"},
		"/events": {"session down", "vbr-odd", "<noscript>Reload this page"},
	} {
		a, body := w.get(c, "GET", path)
		if a.StatusCode != http.StatusOK {
			t.Errorf("%s: %s: %s", path, a.Status, body)
		}
		for _, s := range want {
			if !strings.Contains(body, s) {
				t.Errorf("%s has no %q:\n%s", path, s, body)
			}
		}
		if strings.Contains(body, "ZgotmplZ") || strings.Contains(body, "%!") {
			t.Errorf("%s: %s", path, body)
		}
	}
	for _, path := range []string{"/", "/router/vbr-odd", "/events", "/?search=" + strings.ReplaceAll(hostile, " ", "+"), "/explain?router=vbr-acme&prefix=" + strings.ReplaceAll(hostile, " ", "+")} {
		if _, body := w.get(c, "GET", path); strings.Contains(body, "<script>alert") || strings.Contains(body, "<img") || !strings.Contains(body, "&lt;script&gt;") {
			t.Errorf("%s:\n%s", path, body)
		}
	}
}

// Lists come in pages of a bounded size, and an address is explained.
func TestPaging(t *testing.T) {
	w := local(t, func(w *world) { w.host.more.Store(400); w.host.routes = 8000 })
	c := w.client()
	rows := func(path string) (int, string) {
		_, body := w.get(c, "GET", path)
		return strings.Count(body, "<tr>") - 1, body
	}
	for path, want := range map[string]int{
		"/": routersPerPage, "/?page=3": 6, "/?page=99": 6, "/?page=-1": routersPerPage, "/?search=many&page=2": routersPerPage,
		"/router/vbr-acme/routes": routesPerPage, "/router/vbr-acme/routes?page=50": routesPerPage, "/router/vbr-acme/routes?page=99999999999999999999": routesPerPage,
		"/router/vbr-acme/routes?search=10.3.0.0/17": routesPerPage, "/router/vbr-acme/routes?search=10.3.7.0/24": 1, "/router/vbr-acme/routes?search=192.0.2.0/24&page=3": 1,
	} {
		if n, body := rows(path); n != want {
			t.Errorf("%s: %d rows, want %d:\n%s", path, n, want, body)
		}
	}
	if _, body := rows("/router/vbr-acme/routes?page=50"); !strings.Contains(body, "There are more.") || strings.Contains(body, "page=51") {
		t.Error(body)
	}
	for path, want := range map[string][2]string{"": {"10.2.0.0/24", "10.2.99.0/24"}, "?page=2": {"10.2.100.0/24", "10.2.199.0/24"}} {
		_, body := rows("/router/vbr-acme/routes" + path)
		for _, p := range []string{"10.2.0.0/24", "10.2.99.0/24", "10.2.100.0/24", "10.2.199.0/24", "10.2.200.0/24"} {
			if got := strings.Contains(body, ">"+p+"<"); got != slices.Contains(want[:], p) {
				t.Errorf("routes%s: %s is there: %t", path, p, got)
			}
		}
	}
	if _, body := rows("/?search=many"); !strings.Contains(body, `href="?page=2&amp;search=many"`) {
		t.Error(body)
	}
	a, _ := w.get(c, "GET", "/router/vbr-acme/routes?search=10.2.3.4")
	if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/explain?prefix=10.2.3.4&router=vbr-acme" {
		t.Error(a.Status, a.Header)
	}
}

// With certificates each sees what the API's roles let it see: a stranger's router is as one that is not there.
func TestTenants(t *testing.T) {
	ca, dir := pkitest.New(t, "test CA"), t.TempDir()
	files := api.TLSFiles{Certificate: filepath.Join(dir, "cert"), Key: filepath.Join(dir, "key"), ClientCA: filepath.Join(dir, "ca")}
	issue := func(name string) tls.Certificate {
		return ca.Issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: name}, DNSNames: []string{"vbrd"}})
	}
	pkitest.Write(t, issue("vbrd"), files.Certificate, files.Key)
	ca.Write(t, files.ClientCA, files.ClientCA+".key")
	w := begin(t, "0.0.0.0:0", api.Config{Rate: 10000, TLS: files, Rules: tenants()}, nil)
	as := func(certs ...tls.Certificate) *http.Client {
		c := w.client()
		tr := c.Transport.(*http.Transport)
		tr.TLSClientConfig, tr.ForceAttemptHTTP2 = &tls.Config{RootCAs: ca.Pool(), Certificates: certs, ServerName: "vbrd"}, true
		return c
	}
	noc, acme, nobody := as(issue("noc")), as(issue("acme")), as(issue("mallory"))
	if a, body := w.get(noc, "GET", "/"); a.StatusCode != 200 || a.Proto != "HTTP/2.0" || !strings.Contains(body, "vbr-globex") || !strings.Contains(body, "cn:noc") {
		t.Error(a.Proto, a.Status, body)
	}
	_, body := w.get(acme, "GET", "/")
	if !strings.Contains(body, "vbr-acme") || strings.Contains(body, "globex") || strings.Contains(body, "192.0.2.1") || !strings.Contains(body, "2 routers") {
		t.Error(body)
	}
	for _, path := range []string{"/router/NAME", "/router/NAME/routes", "/explain?router=NAME&prefix=10.0.0.0/8", "/events?router=NAME", "/events/stream?router=NAME"} {
		theirs, one := w.get(acme, "GET", strings.ReplaceAll(path, "NAME", "vbr-globex"))
		none, other := w.get(acme, "GET", strings.ReplaceAll(path, "NAME", "vbr-nobody"))
		if theirs.StatusCode != 404 || none.StatusCode != 404 || withoutTimes(strings.ReplaceAll(one, "vbr-globex", "vbr-nobody")) != withoutTimes(other) {
			t.Errorf("%s: %s, and not there %s:\n%s\n%s", path, theirs.Status, none.Status, one, other)
		}
	}
	for _, path := range []string{"/", "/explain", "/events", "/events/stream"} {
		if a, body := w.get(nobody, "GET", path); a.StatusCode != 403 || !strings.Contains(body, "you are cn:mallory") || strings.Contains(body, "vbr-") {
			t.Errorf("%s: %s %s", path, a.Status, body)
		}
	}
	w.events.Append(&vbrv1.Event{Type: vbrv1.Event_TYPE_SESSION_UP, Router: "vbr-globex", Owner: "globex", Text: "theirs"})
	w.events.Append(&vbrv1.Event{Type: vbrv1.Event_TYPE_APPLIED, Text: "the host's"})
	w.events.Append(&vbrv1.Event{Type: vbrv1.Event_TYPE_SESSION_UP, Router: "vbr-acme", Owner: "acme", Text: "ours"})
	follows, err := acme.Get("https://" + w.door.Addr().String() + "/events/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer follows.Body.Close()
	if line := until(t, bufio.NewReader(follows.Body), "data: "); follows.Proto != "HTTP/2.0" || !strings.Contains(line, `"text":"ours"`) {
		t.Error(follows.Proto, line)
	}
	if a, err := as().Get("https://" + w.door.Addr().String() + "/"); err == nil {
		t.Error("without a certificate:", a.Status)
	}
}

// withoutTimes is a page without its footer, which has the time.
func withoutTimes(page string) string { page, _, _ = strings.Cut(page, "<footer>"); return page }

// Local callers are the users that the kernel says they are, at the loopback as at a socket.
func TestUsers(t *testing.T) {
	for _, where := range []string{"127.0.0.1:0", "[::1]:0", "unix:DIR/glass.sock"} {
		t.Run(where, func(t *testing.T) {
			w := begin(t, where, api.Config{Rate: 10000}, nil)
			if err := os.Chmod(w.dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if w.door.Addr().Network() == "unix" {
				if err := os.Chmod(w.door.Addr().String(), 0o777); err != nil { // so that the guard is all that stands before it
					t.Fatal(err)
				}
			}
			if a, body := w.get(w.client(), "GET", "/"); a.StatusCode != 200 || !strings.Contains(body, fmt.Sprintf("uid:%d", os.Getuid())) {
				t.Error(a.Status, body)
			}
			cmd := exec.Command("/proc/self/exe", "-test.run=^TestAsSomebody$", "-test.v")
			cmd.Env = append(os.Environ(), "GLASS_NETWORK="+w.door.Addr().Network(), "GLASS_ADDRESS="+w.door.Addr().String())
			const nobody = 65534
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "HTTP/1.1 403") || !strings.Contains(string(out), "you are uid:65534(nobody)") || strings.Contains(string(out), "vbr-acme") {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// TestAsSomebody is the other process of TestUsers.
func TestAsSomebody(t *testing.T) {
	network, address := os.Getenv("GLASS_NETWORK"), os.Getenv("GLASS_ADDRESS")
	if network == "" {
		return
	}
	c, err := new(net.Dialer).DialContext(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	answer, err := io.ReadAll(c)
	fmt.Printf("%s\n", answer)
	if err != nil {
		t.Fatal(err)
	}
}

// Who calls too often is told so, by the API's own limit.
func TestRate(t *testing.T) {
	w := begin(t, "127.0.0.1:0", api.Config{Rate: 1}, nil)
	c := w.client()
	for range 20 {
		if a, body := w.get(c, "GET", "/"); a.StatusCode == http.StatusTooManyRequests && a.Header.Get("Retry-After") != "" && strings.Contains(body, "legal: 1 a second") {
			return
		}
	}
	t.Error("never refused")
}

// stream opens a stream of events by a connection of its own.
func (w *world) stream(path string) (net.Conn, *bufio.Reader) {
	w.t.Helper()
	c, err := new(net.Dialer).DialContext(w.t.Context(), "tcp", w.door.Addr().String())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		w.t.Fatal(err)
	}
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path)
	return c, bufio.NewReader(c)
}

// until reads lines to one that has the text.
func until(t *testing.T, r *bufio.Reader, text string) string {
	t.Helper()
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("no %q: %v", text, err)
		}
		if strings.Contains(line, text) {
			return line
		}
	}
}

func (w *world) open() int {
	w.server.streams.mu.Lock()
	defer w.server.streams.mu.Unlock()
	return w.server.streams.all
}

// Events come as they happen and from where the browser left off, one caller has a few streams, and signs of life come between.
func TestStream(t *testing.T) {
	w := local(t, func(w *world) { w.server.beat = 50 * time.Millisecond })
	w.events.Append(&vbrv1.Event{Type: vbrv1.Event_TYPE_SESSION_UP, Router: "vbr-acme", Subject: "10.0.0.2", Text: "up"})
	c, r := w.stream("/events/stream?router=vbr-acme")
	until(t, r, "200 OK")
	until(t, r, `"type":"session up"`)
	w.events.Append(&vbrv1.Event{Type: vbrv1.Event_TYPE_SESSION_DOWN, Router: "vbr-globex", Text: "not asked for"})
	w.events.Append(&vbrv1.Event{Type: vbrv1.Event_TYPE_SESSION_DOWN, Router: "vbr-acme", Text: "hold timer <expired>"})
	id := until(t, r, "id: ")
	if line := until(t, r, "data: "); !strings.Contains(line, `"text":"hold timer \u003cexpired\u003e"`) || !strings.Contains(line, `"class":"bad"`) {
		t.Error(line)
	}
	until(t, r, ": alive")
	c.Close()
	eventually(t, "the stream ends with its connection", func() bool { return w.open() == 0 })
	w.events.Append(&vbrv1.Event{Type: vbrv1.Event_TYPE_SESSION_UP, Router: "vbr-acme", Text: "once more"})
	_, r = w.stream("/events/stream?router=vbr-acme&after=" + strings.TrimSpace(strings.TrimPrefix(id, "id: ")))
	if line := until(t, r, "data: "); !strings.Contains(line, "once more") {
		t.Error(line)
	}
	for range streamsCaller - 1 {
		_, r := w.stream("/events/stream")
		until(t, r, "200 OK")
	}
	_, r = w.stream("/events/stream")
	until(t, r, "429 Too Many Requests")
}

// Who does not read what it follows is cut, and so is who sends its request too slowly.
func TestSlow(t *testing.T) {
	w := local(t, func(w *world) { w.server.messageWithin = 100 * time.Millisecond })
	c, r := w.stream("/events/stream")
	if err := c.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	until(t, r, "200 OK")
	eventually(t, "cut", func() bool {
		for i := range 100 {
			w.events.Append(&vbrv1.Event{Type: vbrv1.Event_TYPE_DRIFT, Router: fmt.Sprint("vbr-", i), Text: strings.Repeat("x", 10000)})
		}
		return w.open() == 0
	})
	slow, r := w.stream("/")
	until(t, r, "200 OK")
	fmt.Fprint(slow, "GET / HTTP/1.1\r\nHost: loc")
	if err := slow.SetDeadline(time.Now().Add(2 * headerWithin)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Error("not cut:", err)
	}
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never: " + what)
		}
	}
}
