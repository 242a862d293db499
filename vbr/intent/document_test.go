package intent_test

import (
	"os"
	"strings"
	"testing"

	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/policy"
)

// TestPolicyDocument: each example of docs/policy.md is a legal set of resources, whose policies compile.
func TestPolicyDocument(t *testing.T) {
	text, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	examples, policies := 0, 0
	for rest := string(text); ; {
		_, after, found := strings.Cut(rest, "\n```yaml\n")
		if !found {
			break
		}
		example, next, _ := strings.Cut(after, "\n```\n")
		rest = next
		examples++
		docs, problems := intent.Parse("policy.md", []byte(example))
		in, more := intent.Build(docs)
		if len(problems)+len(more) > 0 {
			t.Fatalf("%v%v in\n%s", problems, more, example)
		}
		for i := range in.Routers[0].Policies {
			policies++
			if _, err := in.Routers[0].Policies[i].Compile(policy.Preferences(45104)...); err != nil {
				t.Error(err)
			}
		}
	}
	if examples != 3 || policies != 3 {
		t.Errorf("%d examples with %d policies", examples, policies)
	}
}
