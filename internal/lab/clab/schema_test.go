package clab_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schemaFile is containerlab's own, schemas/clab.schema.json of its release 0.79.0, with its licence beside it.
const schemaFile = "testdata/clab.schema.json"

// TestSchema: the topologies are what containerlab takes, by its own schema, which also says what the lab's decoder cannot: that what it plays
// means something to containerlab.
func TestSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(examples, "*", "*.clab.yml"))
	if err != nil || len(files) < 6 {
		t.Fatalf("%v: %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(document(t, text)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		for was, wrong := range map[string]string{"  links:": "  link:", "endpoints: [": "endpoint: [", "binds:": "binds: none\n      bind:", "name:": "names:"} {
			broken := bytes.Replace(text, []byte(was), []byte(wrong), 1)
			if bytes.Equal(broken, text) {
				t.Errorf("%s: has no %q", file, was)
			} else if err := schema.Validate(document(t, broken)); err == nil {
				t.Errorf("%s: %q in place of %q is valid: the schema checks nothing", file, wrong, was)
			}
		}
	}
}

func document(t *testing.T, text []byte) any {
	t.Helper()
	asJSON, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(asJSON)))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}
