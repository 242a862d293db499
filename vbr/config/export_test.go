package config

import (
	"slices"
	"strings"
)

// KeyNames lists the last part of every key, in the order of the reference file.
func KeyNames() []string {
	var names []string
	for _, k := range slices.Concat(keys(), peerKeys(), roleKeys()) {
		names = append(names, k.path[strings.LastIndex(k.path, ":")+1:])
	}
	return names
}
