package config

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

// Store says where applied resources are kept.
type Store struct {
	Type string // "bbolt" or "etcd"
	Path string // of bbolt's file
	Etcd Etcd   // when Type is "etcd"
}

// Etcd says where etcd is and who we are there.
type Etcd struct {
	Endpoints    []string // URLs, all http or all https
	Prefix       string   // of all keys; begins with '/', does not end with one
	Username     string   // empty: none
	PasswordFile string   // with Username
	TLS          EtcdTLS
	Timeout      time.Duration // of a request
}

// EtcdTLS are PEM files; all may be empty. Certificate and Key go together.
type EtcdTLS struct{ CA, Certificate, Key string }

type rawStore struct {
	Type string  `mapstructure:"type"`
	Path string  `mapstructure:"path"`
	Etcd rawEtcd `mapstructure:"etcd"`
}

type rawEtcd struct {
	Endpoints    []string `mapstructure:"endpoints"`
	Prefix       string   `mapstructure:"prefix"`
	Username     string   `mapstructure:"username"`
	PasswordFile string   `mapstructure:"password_file"`
	TLS          struct {
		CA          string `mapstructure:"ca"`
		Certificate string `mapstructure:"certificate"`
		Key         string `mapstructure:"key"`
	} `mapstructure:"tls"`
	Timeout string `mapstructure:"timeout"`
}

// maxEndpoints is how many members of an etcd cluster may be named.
const maxEndpoints = 16

func (l *loader) store(r *rawStore, stateDir string) Store {
	s := Store{Type: l.choice("store.type", r.Type, "bbolt", "etcd"), Path: filepath.Join(stateDir, "intent.db")}
	if _, given := l.places["store.path"]; given {
		s.Path = l.path("store.path", r.Path)
	}
	e := Etcd{
		Endpoints: r.Etcd.Endpoints, Prefix: r.Etcd.Prefix, Username: r.Etcd.Username, PasswordFile: r.Etcd.PasswordFile,
		TLS:     EtcdTLS{r.Etcd.TLS.CA, r.Etcd.TLS.Certificate, r.Etcd.TLS.Key},
		Timeout: l.duration("store.etcd.timeout", r.Etcd.Timeout, time.Second, time.Minute),
	}
	if s.Type != "etcd" {
		if s.Type == "bbolt" && len(e.Endpoints) > 0 {
			l.bad("store.etcd.endpoints[0]", "for nothing while store.type is bbolt", "store.type: etcd, or not this")
		}
		return s
	}
	l.etcd(&e)
	s.Etcd = e
	return s
}

func (l *loader) etcd(e *Etcd) {
	if p := e.Prefix; !strings.HasPrefix(p, "/") || strings.HasSuffix(p, "/") || len(p) > 128 || !plain(p) {
		l.bad("store.etcd.prefix", "not a prefix of keys", legalOf("store.etcd.prefix"))
	}
	if n := len(e.Endpoints); n == 0 {
		l.missing("store.etcd.endpoints", legalOf("store.etcd.endpoints"))
	} else if n > maxEndpoints {
		l.bad(fmt.Sprintf("store.etcd.endpoints[%d]", maxEndpoints), fmt.Sprintf("one of %d", n), fmt.Sprintf("1..%d URLs", maxEndpoints))
	}
	schemes, before := map[string]bool{}, len(l.problems)
	for i, text := range e.Endpoints {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Port() == "" || u.Hostname() == "" || u.User != nil || u.Path != "" || u.RawQuery != "" {
			l.bad(fmt.Sprintf("store.etcd.endpoints[%d]", i), "not such a URL", "http://HOST:PORT or https://HOST:PORT; users belong to store.etcd.username")
			continue
		}
		schemes[u.Scheme] = true
	}
	if len(schemes) > 1 && len(l.problems) == before {
		l.bad("store.etcd.endpoints[0]", "http and https are mixed", "all the same")
	}
	l.together("store.etcd.username", e.Username, "store.etcd.password_file", e.PasswordFile)
	l.together("store.etcd.tls.certificate", e.TLS.Certificate, "store.etcd.tls.key", e.TLS.Key)
	for _, f := range [][2]string{
		{"store.etcd.password_file", e.PasswordFile}, {"store.etcd.tls.ca", e.TLS.CA},
		{"store.etcd.tls.certificate", e.TLS.Certificate}, {"store.etcd.tls.key", e.TLS.Key},
	} {
		if f[1] == "" {
			continue
		}
		l.absolute(f[0], f[1])
		if strings.Contains(f[0], ".tls.") && schemes["http"] {
			l.bad(f[0], "for nothing while an endpoint is http", "https endpoints, or not this")
		}
	}
}

// together wants both or none of two settings.
func (l *loader) together(one, value, other, otherValue string) {
	if value != "" && otherValue == "" {
		l.missing(other, "both of "+one+" and "+other+", or none")
	}
	if value == "" && otherValue != "" {
		l.missing(one, "both of "+one+" and "+other+", or none")
	}
}

func (s Store) yaml() string {
	if s.Type == "bbolt" {
		return fmt.Sprintf("store: {type: bbolt, path: %s}\n", quote(s.Path))
	}
	e := s.Etcd
	var b strings.Builder
	fmt.Fprintf(&b, "store:\n  type: %s\n  path: %s\n  etcd:\n    prefix: %s\n    timeout: %v\n%s\n", s.Type, quote(s.Path), quote(e.Prefix), e.Timeout, yamlList("    endpoints", e.Endpoints))
	for _, kv := range [][2]string{{"username", e.Username}, {"password_file", e.PasswordFile}} {
		if kv[1] != "" {
			fmt.Fprintf(&b, "    %s: %s\n", kv[0], quote(kv[1]))
		}
	}
	var files []string
	for _, kv := range [][2]string{{"ca", e.TLS.CA}, {"certificate", e.TLS.Certificate}, {"key", e.TLS.Key}} {
		if kv[1] != "" {
			files = append(files, kv[0]+": "+quote(kv[1]))
		}
	}
	if len(files) > 0 {
		b.WriteString("    tls: {" + strings.Join(files, ", ") + "}\n")
	}
	return b.String()
}

// plain tells whether text is printable ASCII without spaces.
func plain(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
