package events

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// docs/events.md has the events that there are.
func TestDocument(t *testing.T) {
	text, err := os.ReadFile("../../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, k := range Kinds() {
		fmt.Fprintf(&want, "| `%s` | %s | %s | %s |\n", k.ID, strings.TrimPrefix(k.Type.String(), "TYPE_"), k.Level, k.When)
	}
	got := strings.Join(regexp.MustCompile("(?m)^\\| `[a-z-]+\\.[a-z-]+` .*\n").FindAllString(string(text), -1), "")
	if got != want.String() {
		t.Errorf("docs/events.md has\n%s\nand not\n%s", got, want.String())
	}
}

// Every type of the API has an id, and no id is there twice.
func TestKinds(t *testing.T) {
	seen := make(map[string]bool)
	types := make(map[vbrv1.Event_Type]bool)
	for _, k := range Kinds() {
		if seen[k.ID] {
			t.Errorf("%s is there twice", k.ID)
		}
		seen[k.ID], types[k.Type] = true, true
	}
	for n, name := range vbrv1.Event_Type_name {
		if n != 0 && !types[vbrv1.Event_Type(n)] {
			t.Errorf("%s has no id", name)
		}
	}
}

// An event has its id over the API and in the journal, whether it says it or its type does.
func TestJournal(t *testing.T) {
	var journal bytes.Buffer
	l := NewLog(10)
	l.SetJournal(slog.New(slog.NewTextHandler(&journal, nil)))
	l.Append(&vbrv1.Event{Type: vbrv1.Event_TYPE_SESSION_DOWN, Router: "vbr-acme", Subject: "10.0.0.2", Text: "hold timer expired"})
	l.Append(&vbrv1.Event{Type: vbrv1.Event_TYPE_ROUTE_QUOTA, Id: QuotaExceeded, Router: "vbr-acme"})
	all, _ := l.After(0, 0)
	if all[0].GetId() != "session.down" || all[1].GetId() != "quota.exceeded" {
		t.Errorf("%v", all)
	}
	for _, want := range []string{
		"level=WARN msg=event event=session.down router=vbr-acme subject=10.0.0.2 text=\"hold timer expired\" sequence=" + fmt.Sprint(all[0].GetSequence()),
		"event=quota.exceeded",
	} {
		if !strings.Contains(journal.String(), want) {
			t.Errorf("no %q in\n%s", want, journal.String())
		}
	}
}

// When the log is full, many noisy routers cost a quiet one nothing.
func TestFullOfStorms(t *testing.T) {
	l := NewLog(1000)
	say(l, "quiet", 5)
	for range perRouter {
		for i := range 100 {
			say(l, fmt.Sprint("storm-", i), 1)
		}
	}
	all, _ := l.After(0, 0)
	if n := countOf(all, "quiet"); n != 5 || len(all) != 1000 {
		t.Errorf("%d events of the quiet router stay of 5, %d in all", n, len(all))
	}
}
