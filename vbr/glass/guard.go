package glass

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// policy is what a browser may do with a page: read its own style, scripts and events, and nothing else from anywhere (CSP level 3).
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// guarded is a handler with all that every answer has, for requests that only read and come from here.
func (s *server) guarded(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		for _, kv := range [][2]string{
			{"Content-Security-Policy", policy}, {"Cache-Control", "no-store"}, {"X-Content-Type-Options", "nosniff"}, {"X-Frame-Options", "DENY"},
			{"Referrer-Policy", "no-referrer"}, {"Cross-Origin-Opener-Policy", "same-origin"}, {"Cross-Origin-Resource-Policy", "same-origin"},
		} {
			head.Set(kv[0], kv[1])
		}
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			head.Set("Allow", "GET, HEAD")
			http.Error(w, "the looking glass only shows: GET and HEAD", http.StatusMethodNotAllowed)
		case s.door.Loopback && !isLoopback(r.Host): // a stranger's name that resolves to us (DNS rebinding)
			http.Error(w, "this is served as localhost, 127.0.0.1 or [::1] only", http.StatusMisdirectedRequest)
		case crossSite(r):
			http.Error(w, "other sites may link here, and not embed what is here", http.StatusForbidden)
		default:
			h.ServeHTTP(w, r)
		}
	})
}

// isLoopback says whether a request's Host is a name or an address of the loopback, with any port: a tunnel may have another.
func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return a.IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}

// crossSite says whether a page of another site has a browser ask for something other than to go here (Fetch Metadata).
func crossSite(r *http.Request) bool {
	from := r.Header.Get("Sec-Fetch-Site")
	return (from == "cross-site" || from == "same-site") && r.Header.Get("Sec-Fetch-Mode") != "navigate"
}
