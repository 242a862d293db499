package intent

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// Diff lists the fields in which two resources of one kind differ, in the order of the schema, with their values as
// Marshal writes them. A nil resource has no fields. Items of lists are paired by what they are about (a peer by its
// address), wherever they stand; the path of one that went has its old index. The name is no field that differs from nothing.
func Diff(before, after proto.Message) []*vbrv1.FieldChange {
	var d differ
	switch {
	case before == nil && after == nil:
	case before == nil:
		d.message(after.ProtoReflect().Type().Zero(), after.ProtoReflect(), "")
	case after == nil:
		d.message(before.ProtoReflect(), before.ProtoReflect().Type().Zero(), "")
	default:
		d.message(before.ProtoReflect(), after.ProtoReflect(), "")
	}
	return slices.DeleteFunc(d.changes, func(c *vbrv1.FieldChange) bool { return c.Path == "name" })
}

type differ struct{ changes []*vbrv1.FieldChange }

func (d *differ) add(path, before, after string) {
	d.changes = append(d.changes, &vbrv1.FieldChange{Path: path, Before: before, After: after})
}

func (d *differ) message(a, b protoreflect.Message, path string) {
	for i := range a.Descriptor().Fields().Len() {
		fd := a.Descriptor().Fields().Get(i)
		at := join(path, string(fd.Name()))
		switch {
		case fd.IsList() && fd.Message() == nil:
			if before, after := scalars(a.Get(fd).List()), scalars(b.Get(fd).List()); before != after {
				d.add(at, before, after)
			}
			continue
		case fd.IsList():
			d.list(a.Get(fd).List(), b.Get(fd).List(), at)
			continue
		case fd.Message() != nil:
			d.message(a.Get(fd).Message(), b.Get(fd).Message(), at)
			continue
		}
		if before, after := scalar(a, fd), scalar(b, fd); before != after {
			d.add(at, before, after)
		}
	}
}

// scalar is a field as YAML has it, "" when it is absent.
func scalar(m protoreflect.Message, fd protoreflect.FieldDescriptor) string {
	if !m.Has(fd) {
		return ""
	}
	return writeScalar(m.Get(fd))
}

// scalars is a list of scalars as YAML has it on one line, "" when it is empty.
func scalars(l protoreflect.List) string {
	if l.Len() == 0 {
		return ""
	}
	items := make([]string, l.Len())
	for i := range items {
		items[i] = writeScalar(l.Get(i))
	}
	return "[" + strings.Join(items, ", ") + "]"
}

// list compares lists of messages: what changed and came at its new place, then what went at its old one.
func (d *differ) list(a, b protoreflect.List, path string) {
	was := map[string][]int{} // indexes in a, by identity
	for i := range a.Len() {
		id := identity(a.Get(i).Message())
		was[id] = append(was[id], i)
	}
	count, last, moved := len(d.changes), -1, false
	for i := range b.Len() {
		m := b.Get(i).Message()
		old, id := m.Type().Zero(), identity(m)
		if from := was[id]; len(from) > 0 {
			old, was[id] = a.Get(from[0]).Message(), from[1:]
			moved, last = moved || from[0] < last, from[0]
		}
		d.message(old, m, item(path, i))
	}
	for i := range a.Len() {
		m := a.Get(i).Message()
		if slices.Contains(was[identity(m)], i) {
			d.message(m, m.Type().Zero(), item(path, i))
		}
	}
	if moved && len(d.changes) == count {
		d.add(path, order(a), order(b))
	}
}

// identity is what makes an item of a list the same one: a peer's address, a line's port and VLAN.
func identity(m protoreflect.Message) string {
	var id []string
	for _, name := range []protoreflect.Name{"name", "peer_ip_address", "physical_connection_id", "outer_vlan_id", "vlan_id", "destination_cidr_block", "priority", "next_hop_id"} {
		if fd := m.Descriptor().Fields().ByName(name); fd != nil {
			id = append(id, m.Get(fd).String())
		}
	}
	return strings.Join(id, " ")
}

// order renders the items of a list that were only moved.
func order(list protoreflect.List) string {
	ids := make([]string, list.Len())
	for i := range ids {
		ids[i] = identity(list.Get(i).Message())
	}
	return fmt.Sprintf("[%s]", strings.Join(ids, ", "))
}
