package output

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"google.golang.org/protobuf/proto"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

func event(n uint64, text string) *vbrv1.Event {
	return &vbrv1.Event{Sequence: n, Type: vbrv1.Event_TYPE_SESSION_UP, Router: "vbr-acme", Text: text}
}

const jsonList = `
{
  "events": [
    {
      "sequence": "1",
      "type": "TYPE_SESSION_UP",
      "router": "vbr-acme",
      "owner": "",
      "subject": "",
      "text": "up",
      "id": ""
    },
    {
      "sequence": "2",
      "type": "TYPE_SESSION_UP",
      "router": "vbr-acme",
      "owner": "",
      "subject": "",
      "text": "a: \u001b[2J\n",
      "id": ""
    }
  ]
}
`

const yamlList = `
events:
- sequence: "1"
  type: TYPE_SESSION_UP
  router: vbr-acme
  owner: ""
  subject: ""
  text: up
  id: ""
- sequence: "2"
  type: TYPE_SESSION_UP
  router: vbr-acme
  owner: ""
  subject: ""
`

func TestList(t *testing.T) {
	for format, want := range map[Format]string{JSON: jsonList, YAML: yamlList} {
		var b strings.Builder
		l := NewList(&b, format, "events")
		for _, e := range []*vbrv1.Event{event(1, "up"), event(2, "a: \x1b[2J\n")} {
			if err := l.Add(e); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if got := "\n" + b.String(); !strings.HasPrefix(got, want) {
			t.Errorf("got%swant%s", got, want)
		}
		if strings.ContainsRune(b.String(), '\x1b') {
			t.Errorf("%s lets an escape through: %q", format, b.String())
		}
		var back struct{ Events []struct{ Text string } }
		if err := yaml.Unmarshal([]byte(b.String()), &back); err != nil || len(back.Events) != 2 || back.Events[1].Text != "a: \x1b[2J\n" {
			t.Errorf("%s reads back as %v, %v", format, back, err)
		}
	}
}

func TestEmptyList(t *testing.T) {
	for format, want := range map[Format]string{JSON: "{\n  \"events\": []\n}\n", YAML: "events: []\n"} {
		var b strings.Builder
		if err := NewList(&b, format, "events").Close(); err != nil || b.String() != want {
			t.Errorf("%s: %q, %v", format, b.String(), err)
		}
	}
}

func TestLineAndDocument(t *testing.T) {
	var b strings.Builder
	for _, write := range []func() error{
		func() error { return Line(&b, JSON, &vbrv1.ConfirmResponse{Revision: 3}) },
		func() error { return Line(&b, YAML, &vbrv1.ConfirmResponse{Revision: 3}) },
		func() error { return Document(&b, JSON, &vbrv1.ResetSessionResponse{}) },
		func() error { return Document(&b, YAML, &vbrv1.ResetSessionResponse{Sessions: 2}) },
	} {
		if err := write(); err != nil {
			t.Fatal(err)
		}
	}
	want := "{\"revision\":\"3\"}\n---\nrevision: \"3\"\n{\n  \"sessions\": 0\n}\nsessions: 2\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// A line is one line whatever the message holds.
func TestLineIsOneLine(t *testing.T) {
	var b strings.Builder
	if err := Line(&b, JSON, proto.Message(event(1, "a\nb"))); err != nil || strings.Count(b.String(), "\n") != 1 || !json.Valid([]byte(b.String())) {
		t.Errorf("%q, %v", b.String(), err)
	}
}
