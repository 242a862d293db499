package config

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// API is where vbrd listens for vbrctl and programs, and who may do what there.
type API struct {
	Socket      string // path
	SocketGroup string // empty: vbr if there is such a group
	Listen      string // TCP address and port; empty: the socket only
	TLS         APITLS // of Listen, and of the looking glass
	Roles       []Role // first match wins
	Rate        int    // calls a second of one caller
}

// APITLS are PEM files. All are set when API.Listen is, or Settings.Glass needs them, otherwise none.
type APITLS struct{ Certificate, Key, ClientCA string }

// Role gives a role to whoever it matches.
type Role struct {
	Match  string // "uid:N", "user:NAME", "group:NAME", "uri:URI" or "cn:NAME"
	Role   string // "viewer", "operator" or "admin"
	Owners []string
}

type rawAPI struct {
	Socket      string `mapstructure:"socket"`
	SocketGroup string `mapstructure:"socket_group"`
	Listen      string `mapstructure:"listen"`
	TLS         struct {
		Certificate string `mapstructure:"certificate"`
		Key         string `mapstructure:"key"`
		ClientCA    string `mapstructure:"client_ca"`
	} `mapstructure:"tls"`
	Roles []rawRole `mapstructure:"roles"`
	Rate  string    `mapstructure:"rate"`
}

type rawRole struct {
	Match  string   `mapstructure:"match"`
	Role   string   `mapstructure:"role"`
	Owners []string `mapstructure:"owners"`
}

// maxSocketPath is the longest path of a unix socket (sun_path of unix(7) without its NUL).
const maxSocketPath = 107

// api judges the section; glass says that the looking glass needs its TLS.
func (l *loader) api(r *rawAPI, glass bool) API {
	a := API{
		Socket: l.path("api.socket", r.Socket), SocketGroup: r.SocketGroup, Listen: r.Listen,
		TLS:  APITLS{r.TLS.Certificate, r.TLS.Key, r.TLS.ClientCA},
		Rate: int(l.number("api.rate", r.Rate, 1, 10000, legalOf("api.rate"))),
	}
	if len(a.Socket) > maxSocketPath {
		l.bad("api.socket", "too long for a socket", legalOf("api.socket"))
	}
	if strings.ContainsAny(a.SocketGroup, " :\n") {
		l.bad("api.socket_group", "not a group's name", legalOf("api.socket_group"))
	}
	if a.Listen != "" && !isEndpoint(a.Listen) {
		l.bad("api.listen", "not an address with a port", legalOf("api.listen"))
	}
	for _, f := range [][2]string{{"api.tls.certificate", a.TLS.Certificate}, {"api.tls.key", a.TLS.Key}, {"api.tls.client_ca", a.TLS.ClientCA}} {
		switch {
		case f[1] == "" && a.Listen != "":
			l.missing(f[0], legalOf(f[0])+": api.listen is for mutual TLS only")
		case f[1] == "" && glass:
			l.missing(f[0], legalOf(f[0])+": glass.listen beyond the loopback is for mutual TLS only")
		case f[1] != "" && a.Listen == "" && !glass:
			l.bad(f[0], "for nothing without api.listen", "api.listen too, or not this")
		case f[1] != "":
			l.absolute(f[0], f[1])
		}
	}
	for i := range r.Roles {
		a.Roles = append(a.Roles, l.role(fmt.Sprintf("api.roles[%d]", i), &r.Roles[i]))
	}
	return a
}

func (l *loader) absolute(path, value string) {
	if !filepath.IsAbs(value) {
		l.bad(path, "not an absolute path", legalOf(path))
	}
}

// isEndpoint tells whether something is an IP address, or nothing for all, with a port.
func isEndpoint(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return false
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

// metrics judges where metrics are served: nobody is asked there who he is, so an address has to be named.
func (l *loader) metrics(where string) string {
	path, isUnix := strings.CutPrefix(where, "unix:")
	switch {
	case where == "":
	case isUnix && (!filepath.IsAbs(path) || len(path) > maxSocketPath):
		l.bad("metrics.listen", "not an absolute path that a socket may have", legalOf("metrics.listen"))
	case !isUnix && (!isEndpoint(where) || strings.HasPrefix(where, ":")):
		l.bad("metrics.listen", "not an address with a port", legalOf("metrics.listen"))
	}
	return where
}

func (l *loader) role(path string, r *rawRole) Role {
	if l.places[path].pos.File == wrong {
		return Role{}
	}
	legal := func(name string) string { k, _ := find(roleKeys(), name); return k.legal }
	if r.Match == "" {
		l.missing(path+".match", legal("match"))
	} else if !isMatch(r.Match) {
		l.bad(path+".match", "not a match", legal("match"))
	}
	switch {
	case r.Role == "":
		l.missing(path+".role", legal("role"))
	case !slices.Contains([]string{"viewer", "operator", "admin"}, r.Role):
		l.bad(path+".role", "not one of the choices", legal("role"))
	case r.Role == "operator" && len(r.Owners) == 0:
		l.bad(path+".owners", "an operator without owners sees nothing", "at least one owner, or role viewer or admin")
	}
	for i, o := range r.Owners {
		if o == "" || len(o) > 64 || printable(o) != o {
			l.bad(fmt.Sprintf("%s.owners[%d]", path, i), "not an owner label", legal("owners"))
		}
	}
	return Role{Match: r.Match, Role: r.Role, Owners: r.Owners}
}

func isMatch(s string) bool {
	kind, value, _ := strings.Cut(s, ":")
	if value == "" {
		return false
	}
	if kind == "uid" {
		_, err := strconv.ParseUint(value, 10, 32)
		return err == nil
	}
	return slices.Contains([]string{"user", "group", "uri", "cn"}, kind)
}

func (a API) yaml() string {
	var b strings.Builder
	fmt.Fprintf(&b, "api:\n  socket: %s\n  rate: %d\n", quote(a.Socket), a.Rate)
	for _, kv := range [][2]string{{"socket_group", a.SocketGroup}, {"listen", a.Listen}} {
		if kv[1] != "" {
			fmt.Fprintf(&b, "  %s: %s\n", kv[0], quote(kv[1]))
		}
	}
	if a.TLS != (APITLS{}) {
		fmt.Fprintf(&b, "  tls: {certificate: %s, key: %s, client_ca: %s}\n", quote(a.TLS.Certificate), quote(a.TLS.Key), quote(a.TLS.ClientCA))
	}
	for i, r := range a.Roles {
		if i == 0 {
			b.WriteString("  roles:\n")
		}
		fmt.Fprintf(&b, "    - {match: %s, role: %s%s}\n", quote(r.Match), r.Role, yamlList(", owners", r.Owners))
	}
	return b.String()
}

// yamlList renders a list that may be absent.
func yamlList(key string, items []string) string {
	if len(items) == 0 {
		return ""
	}
	quoted := make([]string, len(items))
	for i, it := range items {
		quoted[i] = quote(it)
	}
	return key + ": [" + strings.Join(quoted, ", ") + "]"
}
