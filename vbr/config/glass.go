package config

import (
	"net"
	"net/netip"
	"path/filepath"
	"strings"
)

// glass judges where the looking glass is served; api judges whether there is the TLS for it.
func (l *loader) glass(where string) string {
	path, isUnix := strings.CutPrefix(where, "unix:")
	switch {
	case where == "":
	case isUnix && (!filepath.IsAbs(path) || len(path) > maxSocketPath):
		l.bad("glass.listen", "not an absolute path that a socket may have", legalGlass)
	case !isUnix && !isEndpoint(where):
		l.bad("glass.listen", "not an address with a port", legalGlass)
	}
	return where
}

// glassNeedsTLS says whether others than this host's users could call there.
func glassNeedsTLS(where string) bool {
	if !isEndpoint(where) {
		return false
	}
	host, _, _ := net.SplitHostPort(where)
	a, err := netip.ParseAddr(host)
	return err != nil || !a.IsLoopback()
}
