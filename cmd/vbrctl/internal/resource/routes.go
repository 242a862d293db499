package resource

import (
	"fmt"
	"io"

	"github.com/goccy/go-yaml"
	"google.golang.org/protobuf/encoding/protojson"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// ReadRoutes reads a file of routes to try a policy on, stdin for "-": a mapping with the one key routes.
func ReadRoutes(path string, stdin io.Reader) ([]*vbrv1.TestRoute, error) {
	text, err := content(path, stdin)
	if err != nil {
		return nil, err
	}
	text, err = yaml.YAMLToJSON(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var doc vbrv1.TestPolicyRequest
	if err := protojson.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("%s: not routes: %w", path, err)
	}
	if len(doc.GetRoutes()) == 0 {
		return nil, fmt.Errorf("%s: no routes; legal: routes: and a list of prefix, next_hop, as_path, communities, origin, med, local_pref", path)
	}
	return doc.GetRoutes(), nil
}
