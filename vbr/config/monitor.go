package config

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// MRT says what is dumped of what peers announce (RFC 6396).
type MRT struct {
	Directory string // empty: nothing
	Interval  time.Duration
	Keep      int   // files of a router
	Size      int64 // octets of all files
}

type rawMRT struct {
	Directory string `mapstructure:"directory"`
	Interval  string `mapstructure:"interval"`
	Keep      string `mapstructure:"keep"`
	Size      string `mapstructure:"size"`
}

// maxCollectors is how many BMP collectors there may be: each has a queue of its own.
const maxCollectors = 4

// collectors reads where the BMP collectors listen.
func (l *loader) collectors(list []string) (out []netip.AddrPort) {
	seen := make(map[netip.AddrPort]bool)
	for i, text := range list {
		path := fmt.Sprintf("bmp.collectors[%d]", i)
		a, err := netip.ParseAddrPort(text)
		switch {
		case err != nil || a.Port() == 0 || a.Addr().Zone() != "" || a.Addr().Is4In6() || a.Addr().IsUnspecified() || a.Addr().IsMulticast():
			l.bad(path, "not an address with a port", legalOf("bmp.collectors"))
		case seen[a]:
			l.bad(path, "given twice", "each collector once")
		case i >= maxCollectors:
			l.bad(path, "one too many", legalOf("bmp.collectors"))
		}
		seen[a] = true
		out = append(out, a)
	}
	return out
}

func (l *loader) mrt(r *rawMRT) MRT {
	m := MRT{
		Directory: r.Directory,
		Interval:  l.duration("mrt.interval", r.Interval, time.Second, 24*time.Hour),
		Keep:      int(l.number("mrt.keep", r.Keep, 1, 10000, legalOf("mrt.keep"))),
		Size:      int64(l.number("mrt.size", r.Size, 1, 1<<20, legalOf("mrt.size"))) << 20,
	}
	if m.Directory != "" {
		m.Directory = l.path("mrt.directory", m.Directory)
	}
	return m
}

// monitorYAML renders both; what is off is left out.
func monitorYAML(collectors []netip.AddrPort, m MRT) string {
	var b strings.Builder
	for i, c := range collectors {
		if i == 0 {
			b.WriteString("bmp:\n  collectors:\n")
		}
		fmt.Fprintf(&b, "    - '%s'\n", c)
	}
	if m.Directory != "" {
		fmt.Fprintf(&b, "mrt: {directory: %s, interval: %v, keep: %d, size: %d}\n", quote(m.Directory), m.Interval, m.Keep, m.Size>>20)
	}
	return b.String()
}
