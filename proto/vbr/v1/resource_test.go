package vbrv1_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// Whatever the schema allows in a resource goes in and comes out, with a kind of its own.
func TestWrap(t *testing.T) {
	fields := (*vbrv1.Resource)(nil).ProtoReflect().Descriptor().Oneofs().ByName("resource").Fields()
	kinds := map[vbrv1.Kind]bool{vbrv1.Kind_KIND_UNSPECIFIED: true}
	for i := range fields.Len() {
		want := &vbrv1.Resource{}
		m := want.ProtoReflect().Mutable(fields.Get(i)).Message().Interface()
		if got := vbrv1.Wrap(m); !proto.Equal(got, want) {
			t.Errorf("%T in a resource: %v", m, got)
		}
		content, kind := vbrv1.Unwrap(want)
		if proto.Message(content) != m || kinds[kind] {
			t.Errorf("%T out of a resource: %T, %v", m, content, kind)
		}
		kinds[kind] = true
	}
	if len(kinds) != len(vbrv1.Kind_name) {
		t.Errorf("of the kinds %v only %v have a content", vbrv1.Kind_name, kinds)
	}
	if r := vbrv1.Wrap(&vbrv1.Metadata{}); r != nil {
		t.Errorf("Metadata in a resource: %v", r)
	}
	for _, r := range []*vbrv1.Resource{nil, {}, vbrv1.Wrap((*vbrv1.RouterInterface)(nil))} {
		if content, kind := vbrv1.Unwrap(r); content != nil || kind != vbrv1.Kind_KIND_UNSPECIFIED {
			t.Errorf("%v out of nothing, of kind %v", content, kind)
		}
	}
}
