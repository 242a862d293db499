package source

import (
	"strings"

	"github.com/openvbr/openvbr/internal/nearest"
)

// Suggest returns the candidate that the writer of word most likely meant, or "". It sees through case, underscores,
// dashes and dots ("PeerAsn" for "peer_asn"), up to two typing errors, and beginnings ("vlan" for "vlan_id").
func Suggest(word string, candidates []string) string {
	w := nearest.Fold(word)
	if len(w) == 0 || len(w) > 64 {
		return ""
	}
	if near := nearest.Of(word, candidates); near != "" {
		return near
	}
	return beginning(w, candidates)
}

// beginning returns the only candidate that word begins, or that begins word.
func beginning(w string, candidates []string) string {
	found := ""
	for _, c := range candidates {
		f := nearest.Fold(c)
		if len(w) < 3 || len(f) < 3 || !strings.HasPrefix(f, w) && !strings.HasPrefix(w, f) {
			continue
		}
		if found != "" {
			return ""
		}
		found = c
	}
	return found
}
