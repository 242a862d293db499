package glass

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// FuzzQuery: whatever a browser asks for, the answer is a page, says that there is none or what is wrong with it, and has nothing of the question but as text.
func FuzzQuery(f *testing.F) {
	f.Add("/router/vbr-acme/routes", "search=10.0.0.0/99&page=-1&stage=kernel&family=ipv6")
	f.Add("/explain", "router=vbr-acme&prefix=a+b")
	f.Add("/routers", "page=99999999999999999999&search=%00&state="+url.QueryEscape(hostile))
	f.Add("/router/vbr-acme", "span=x&interface="+url.QueryEscape(hostile))
	f.Add("/events", "router="+url.QueryEscape(hostile))
	w := local(f, nil)
	c := w.client()
	f.Fuzz(func(t *testing.T, path, query string) {
		if strings.Contains(path, "stream") { // goes on for ever
			return
		}
		one := *w
		one.t = t
		u := url.URL{Scheme: "http", Host: "glass", Path: "/" + strings.TrimLeft(path, "/"), RawQuery: query}
		if _, err := http.NewRequest(http.MethodGet, u.String(), nil); err != nil {
			return
		}
		a, body := one.get(c, http.MethodGet, u.RequestURI())
		if a.StatusCode >= 500 || strings.Contains(body, "<script>alert") || strings.Contains(body, "<img src=x") {
			t.Fatalf("%s: %s: %s", u.RequestURI(), a.Status, body)
		}
	})
}
