package resource

import (
	"strings"

	"google.golang.org/protobuf/proto"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// kind is what there is to know about a kind of resource.
type kind struct {
	number vbrv1.Kind
	name   string // of the message, as `kind:` has it
	short  string
	empty  proto.Message
}

// kinds in the order in which they are shown: ports, routers, what joins them.
var kinds = []kind{
	newKind(vbrv1.Kind_KIND_PHYSICAL_CONNECTION, "pc"),
	newKind(vbrv1.Kind_KIND_VIRTUAL_BORDER_ROUTER, "vbr"),
	newKind(vbrv1.Kind_KIND_V_ROUTER, "vr"),
	newKind(vbrv1.Kind_KIND_ROUTER_INTERFACE, "ri"),
	newKind(vbrv1.Kind_KIND_VBR_HA, "ha"),
}

func newKind(k vbrv1.Kind, short string) kind { return kind{k, vbrv1.KindName(k), short, k.New()} }

// ParseKind finds a kind by its name or short name, in any case, singular or plural, with dashes or without.
func ParseKind(word string) (vbrv1.Kind, bool) {
	w := strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(word))
	for _, k := range kinds {
		for _, name := range []string{k.short, strings.ToLower(k.name)} {
			if w == name || w == name+"s" {
				return k.number, true
			}
		}
	}
	return vbrv1.Kind_KIND_UNSPECIFIED, false
}

// Kinds returns all kinds in the order in which they are shown.
func Kinds() []vbrv1.Kind {
	out := make([]vbrv1.Kind, len(kinds))
	for i, k := range kinds {
		out[i] = k.number
	}
	return out
}

// KindName returns the name of a kind's message, "VirtualBorderRouter"; for a kind this program does not know, that of the enum.
func KindName(number vbrv1.Kind) string {
	if k := find(func(k kind) bool { return k.number == number }); k != nil {
		return k.name
	}
	return number.String()
}

// Short returns the short name of a kind: "pc", "vbr", "vr", "ri", "ha".
func Short(number vbrv1.Kind) string {
	if k := find(func(k kind) bool { return k.number == number }); k != nil {
		return k.short
	}
	return number.String()
}

// names lists what `kind:` may say.
func names() []string {
	out := make([]string, len(kinds))
	for i, k := range kinds {
		out[i] = k.name
	}
	return out
}

func find(is func(kind) bool) *kind {
	for i := range kinds {
		if is(kinds[i]) {
			return &kinds[i]
		}
	}
	return nil
}

// Name returns a resource's name, "" for one that this program cannot open.
func Name(r *vbrv1.Resource) string {
	c, _ := vbrv1.Unwrap(r)
	if c == nil {
		return ""
	}
	return c.GetName()
}

// Ref returns the reference to a resource, of any generation.
func Ref(r *vbrv1.Resource) *vbrv1.ResourceRef {
	_, k := vbrv1.Unwrap(r)
	return &vbrv1.ResourceRef{Kind: k, Name: Name(r)}
}
