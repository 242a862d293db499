package api

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/openvbr/openvbr/vbr/control"
)

// method is what the guard knows about an RPC.
type method struct {
	name    string // "vbr.v1.ResourceService/Apply"
	role    control.Role
	mutates bool // has an audit line
	unary   bool // has one answer, and a deadline
}

// methods says the least role for each RPC. What is not here cannot be served.
func methods() map[string]method {
	m := make(map[string]method)
	add := func(role control.Role, mutates bool, service, names string) {
		for _, n := range strings.Fields(names) {
			m[service+"/"+n] = method{name: service + "/" + n, role: role, mutates: mutates}
		}
	}
	const resources, routers = "vbr.v1.ResourceService", "vbr.v1.RouterService"
	add(control.Viewer, false, resources, "Get List Watch ListRevisions DiffRevisions")
	add(control.Operator, true, resources, "Apply Delete Confirm Rollback")
	add(control.Viewer, false, routers, "GetHost ListRouters ListSessions ListRoutes Explain GetPrefixHistory ListEvents TestPolicy ListUsage GetQuality ListFailoverTests")
	add(control.Operator, true, routers, "Capture Probe ResetSession DrainRouter UndrainRouter StartFailoverTest StopFailoverTest CreateFailoverTest UpdateFailoverTest DeleteFailoverTest")
	add(control.Viewer, false, "grpc.health.v1.Health", "Check List Watch")
	add(control.Viewer, false, "grpc.reflection.v1.ServerReflection", "ServerReflectionInfo")
	add(control.Viewer, false, "grpc.reflection.v1alpha.ServerReflection", "ServerReflectionInfo")
	return m
}

// newRequest makes an empty request of a method, to read what a refused caller asked for.
func (m method) newRequest() (proto.Message, error) {
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(strings.ReplaceAll(m.name, "/", ".")))
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	md, ok := d.(protoreflect.MethodDescriptor)
	if !ok {
		return nil, fmt.Errorf("api: %s is no method", m.name)
	}
	t, err := protoregistry.GlobalTypes.FindMessageByName(md.Input().FullName())
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	return t.New().Interface(), nil
}
