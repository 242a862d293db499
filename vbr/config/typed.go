package config

import (
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openvbr/openvbr/vbr/intent/source"
)

// raw is what viper decodes into: every value as text, so that this package and not a decoder judges it.
type raw struct {
	Host      string `mapstructure:"host"`
	Region    string `mapstructure:"region"`
	Resources string `mapstructure:"resources"`
	StateDir  string `mapstructure:"state_dir"`
	KeyDir    string `mapstructure:"key_dir"`
	Log       struct {
		Level  string `mapstructure:"level"`
		Format string `mapstructure:"format"`
	} `mapstructure:"log"`
	Backbone rawBackbone `mapstructure:"backbone"`
	Timers   struct {
		Restart  string `mapstructure:"restart"`
		Deferral string `mapstructure:"deferral"`
		Stale    string `mapstructure:"stale"`
		Audit    string `mapstructure:"audit"`
	} `mapstructure:"timers"`
	NexthopCompatMode string `mapstructure:"nexthop_compat_mode"`
	TableBase         string `mapstructure:"table_base"`
	Runtime           struct {
		GCPercent   string `mapstructure:"gc_percent"`
		MemoryLimit string `mapstructure:"memory_limit"`
	} `mapstructure:"runtime"`
	API     rawAPI `mapstructure:"api"`
	Metrics struct {
		Listen string `mapstructure:"listen"`
	} `mapstructure:"metrics"`
	Glass struct {
		Listen string `mapstructure:"listen"`
	} `mapstructure:"glass"`
	Store rawStore `mapstructure:"store"`
	BMP   struct {
		Collectors []string `mapstructure:"collectors"`
	} `mapstructure:"bmp"`
	MRT rawMRT `mapstructure:"mrt"`
}

type rawBackbone struct {
	ASN      string    `mapstructure:"asn"`
	RouterID string    `mapstructure:"router_id"`
	VTEP     string    `mapstructure:"vtep"`
	Prefixes []string  `mapstructure:"prefixes"`
	Peers    []rawPeer `mapstructure:"peers"`
}

type rawPeer struct {
	Address      string `mapstructure:"address"`
	ASN          string `mapstructure:"asn"`
	AuthKeyFile  string `mapstructure:"auth_key_file"`
	Hold         string `mapstructure:"hold"`
	Keepalive    string `mapstructure:"keepalive"`
	ConnectRetry string `mapstructure:"connect_retry"`
	Multihop     string `mapstructure:"multihop"`
	Passive      string `mapstructure:"passive"`
}

// bad adds a problem about the value at a dotted path, unless it has one.
func (l *loader) bad(path, text, legal string) {
	s, given := l.places[path]
	if s.pos.File == wrong {
		return
	}
	value := ""
	switch {
	case !given:
		s.pos = l.near(path)
	case isNumber(s.text):
		value = s.text
	case strings.HasPrefix(path, "store.etcd.endpoints") && strings.Contains(s.text, "@"): // a URL may hold a password
	case !secret(path) || strings.HasPrefix(s.text, "/"):
		value = source.Quote(s.text)
	}
	l.problems.Add(source.Problem{Pos: s.pos, Path: path, Value: value, Text: text, Legal: legal})
}

// secret tells whether somebody may have put a secret where the path of its file belongs; such a value is never shown.
func secret(path string) bool {
	return strings.HasSuffix(path, "auth_key_file") || strings.HasSuffix(path, "password_file") || strings.HasSuffix(path, "tls.key")
}

// near is the place of the nearest thing around a path that was given.
func (l *loader) near(path string) source.Pos {
	for path != "" {
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
		if s, ok := l.places[path]; ok && s.pos.File != wrong {
			return s.pos
		}
	}
	return source.Pos{}
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(strings.TrimPrefix(s, "-"), "0123456789") == ""
}

func (l *loader) settings(r *raw) *Settings {
	s := &Settings{
		Host:      l.host(r.Host),
		Region:    l.region(r.Region),
		Resources: l.path("resources", r.Resources),
		StateDir:  l.path("state_dir", r.StateDir),
		KeyDir:    l.path("key_dir", r.KeyDir),
		Log:       Log{Level: l.level(r.Log.Level), Format: l.choice("log.format", r.Log.Format, "auto", "text", "json")},
		Timers: Timers{
			Restart:  l.duration("timers.restart", r.Timers.Restart, time.Second, 4095*time.Second),
			Deferral: l.duration("timers.deferral", r.Timers.Deferral, 10*time.Second, 30*time.Second),
			Stale:    l.duration("timers.stale", r.Timers.Stale, time.Second, time.Hour),
			Audit:    l.duration("timers.audit", r.Timers.Audit, time.Second, time.Hour),
		},
		KeepNexthopCompat: l.choice("nexthop_compat_mode", r.NexthopCompatMode, "0", "keep") == "keep",
		TableBase:         uint32(l.number("table_base", r.TableBase, 1000, 4_000_000_000, legalOf("table_base"))),
		Runtime: Runtime{
			GCPercent:   int(l.number("runtime.gc_percent", r.Runtime.GCPercent, 10, 1000, legalOf("runtime.gc_percent"))),
			MemoryLimit: l.memory(r.Runtime.MemoryLimit),
		},
	}
	s.Backbone = l.backbone(&r.Backbone)
	s.API = l.api(&r.API, glassNeedsTLS(r.Glass.Listen))
	s.Metrics = l.metrics(r.Metrics.Listen)
	s.Glass = l.glass(r.Glass.Listen)
	s.Store = l.store(&r.Store, s.StateDir)
	s.Collectors, s.MRT = l.collectors(r.BMP.Collectors), l.mrt(&r.MRT)
	return s
}

// legalOf is the legal range of a key by its dotted path.
func legalOf(path string) string {
	k, _ := find(keys(), strings.ReplaceAll(path, ".", delimiter))
	return k.legal
}

func (l *loader) host(name string) string {
	if _, given := l.places["host"]; !given {
		var err error
		if name, err = l.in.Hostname(); err != nil {
			l.problems.Add(source.Problem{Path: "host", Text: "the system does not tell its name: " + err.Error(), Legal: legalOf("host")})
			return ""
		}
	}
	letters := strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.")
	if name == "" || len(name) > 63 || letters != "" {
		l.bad("host", "not a host name", legalOf("host"))
	}
	return name
}

func (l *loader) region(name string) string {
	if name == "" || len(name) > 63 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		l.bad("region", "not a region name", legalOf("region"))
	}
	return name
}

func (l *loader) path(path, value string) string {
	if !filepath.IsAbs(value) {
		l.bad(path, "not an absolute path", legalOf(path))
	}
	return filepath.Clean(value)
}

func (l *loader) level(value string) slog.Level {
	var level slog.Level
	if slices.Contains([]string{"debug", "info", "warn", "error"}, value) {
		_ = level.UnmarshalText([]byte(value))
		return level
	}
	l.bad("log.level", "not a log level", legalOf("log.level"))
	return level
}

func (l *loader) choice(path, value string, choices ...string) string {
	if !slices.Contains(choices, value) {
		l.bad(path, "not one of the choices", legalOf(path))
	}
	return value
}

// duration reads "90s", "2m" or a bare number of seconds.
func (l *loader) duration(path, value string, least, most time.Duration) time.Duration {
	if isNumber(value) {
		value += "s"
	}
	d, err := time.ParseDuration(value)
	switch {
	case err != nil:
		l.bad(path, "not a duration", legalOf(path))
	case d < least || d > most:
		l.bad(path, "out of range", legalOf(path))
	case d%time.Second != 0:
		l.bad(path, "not whole seconds", legalOf(path))
	}
	return d
}

// number reads a whole number of a range; 0 when there is a problem.
func (l *loader) number(path, value string, least, most uint64, legal string) uint64 {
	n, err := strconv.ParseUint(value, 10, 64)
	switch {
	case err == nil && n >= least && n <= most:
		return n
	case err != nil && !isNumber(value):
		l.bad(path, "not a whole number", legal)
	default:
		l.bad(path, "out of range", legal)
	}
	return 0
}

// memory reads the memory limit in MiB and returns bytes; 0 is none.
func (l *loader) memory(value string) int64 {
	if value == "0" {
		return 0
	}
	return int64(l.number("runtime.memory_limit", value, 64, 1<<20, legalMemory)) << 20
}

// asn reads an AS number that may be used on the wire.
func (l *loader) asn(path, value string) uint32 {
	if value == "" {
		l.missing(path, legalASN)
		return 0
	}
	n := l.number(path, value, 1, 4294967294, legalASN)
	if n == 23456 || n == 65535 {
		l.bad(path, "not a usable AS number", legalASN)
	}
	return uint32(n)
}

func (l *loader) missing(path, legal string) {
	if _, given := l.places[path]; given {
		l.bad(path, "empty", legal)
		return
	}
	l.problems.Add(source.Problem{Pos: l.near(path), Path: path, Text: "missing", Legal: legal})
}

// unicast reads an address that a host can have.
func (l *loader) unicast(path, value, legal string, only4 bool) netip.Addr {
	if value == "" {
		l.missing(path, legal)
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(value)
	switch {
	case err != nil || a.Zone() != "" || only4 && !a.Is4():
		l.bad(path, "not such an address", legal)
	case a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() || a.Is4In6() || a.Is6() && a.IsLinkLocalUnicast() || a.Is4() && a.As4()[0] >= 240:
		l.bad(path, "not an address that can be used here", legal)
	default:
		return a
	}
	return netip.Addr{}
}
