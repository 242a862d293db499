package intent

import (
	"strconv"
	"strings"

	"github.com/openvbr/openvbr/vbr/intent/source"
)

// Origin remembers where the parts of a resource were written. A nil Origin (a resource made by a program) knows nothing.
type Origin struct {
	pos    source.Pos
	places map[string]place // by path in proto names: "bgp_peers[0].hold"
}

// place is where a value stands and how it was written.
type place struct {
	pos   source.Pos
	text  string // of a scalar
	plain bool   // text is a whole number
}

// Pos is where the resource begins.
func (o *Origin) Pos() source.Pos {
	if o == nil {
		return source.Pos{}
	}
	return o.pos
}

// At is where the field of that path stands ("bgp_peers[0].hold"), or, when it is absent, the nearest thing around it.
func (o *Origin) At(path string) source.Pos {
	if o == nil {
		return source.Pos{}
	}
	for ; path != ""; path = parent(path) {
		if p, ok := o.places[path]; ok {
			return p.pos
		}
	}
	return o.pos
}

// has tells whether the field was written at all.
func (o *Origin) has(path string) bool {
	if o == nil {
		return false
	}
	_, ok := o.places[path]
	return ok
}

// value renders what was written at path for a Problem; "" when nothing was, or when it may be a secret.
func (o *Origin) value(path string) string {
	if o == nil {
		return ""
	}
	p, ok := o.places[path]
	switch {
	case !ok, p.text == "" && p.plain, secret(path) && !strings.HasPrefix(p.text, "/"):
		return ""
	case p.plain:
		return p.text
	}
	return source.Quote(p.text)
}

// secret tells whether a field might hold a key by mistake: a value that is no path is never shown.
func secret(path string) bool { return strings.HasSuffix(path, "auth_key_file") }

// parent cuts the last element off a path: a.b[1] -> a.b -> a -> "".
func parent(path string) string {
	return path[:max(0, strings.LastIndexAny(path, ".["))]
}

// join appends a field name to a path.
func join(path, field string) string {
	if path == "" {
		return field
	}
	return path + "." + field
}

func item(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
