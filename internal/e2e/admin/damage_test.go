package admin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Damage done to a store file while vbrd is away.
var damages = []struct {
	name string
	do   func(text []byte) []byte
}{
	{"cut", func(text []byte) []byte { return text[:5000] }},
	{"empty", func([]byte) []byte { return nil }},
	{"zeros", func(text []byte) []byte { return make([]byte, len(text)) }},
	{"something else", func(text []byte) []byte { return []byte(strings.Repeat("not a store\n", len(text)/12)) }},
}

// A damaged store is set aside and told of, its resources come from the cache, and of what runs nothing goes. Without a cache
// nothing goes either, until somebody says what there should be.
func TestDamagedStore(t *testing.T) {
	e := newEdge(t, "edge1", "")
	e.bird("")
	e.start()
	e.mustApply("acme.yaml", acme(onePeer))
	eventually(t, "the session and its route", e.up)
	eventually(t, "the first revision runs", e.settled(1))
	want, routes, addresses := e.resources(), e.follow("route"), e.follow("address")
	unchanged := func(what string) {
		t.Helper()
		if strings.Contains(routes.String(), "Deleted 172.16.1.0/24") || strings.Contains(addresses.String(), "10.0.0.1/24") {
			t.Fatalf("%s: something went:\n%s%s", what, routes, addresses)
		}
	}
	for i, d := range damages {
		e.damage(d.do)
		if err := has(strings.Join(e.status().Problems, "\n"), "intent.db is damaged and was set aside", "recovered from the cache"); err != nil {
			t.Errorf("%s: show host: %v", d.name, err)
		}
		if err := has(e.ctl("events"), "set aside"); err != nil {
			t.Errorf("%s: events: %v", d.name, err)
		}
		if aside, _ := filepath.Glob(e.path("state/intent.db.corrupt-*")); len(aside) != i+1 {
			t.Errorf("%s: set aside are %q", d.name, aside)
		}
		if err := sameResources(e.resources(), want); err != nil {
			t.Errorf("%s: %v", d.name, err)
		}
		eventually(t, d.name+": the session and its route", e.up)
		unchanged(d.name)
	}

	caches, _ := filepath.Glob(e.path("state/cache-*"))
	if len(caches) != 1 {
		t.Fatalf("caches: %q", caches)
	}
	e.kill()
	if err := os.Remove(caches[0]); err != nil {
		t.Fatal(err)
	}
	e.damage(damages[0].do)
	if n := len(e.resources()); n > 0 {
		t.Fatalf("%d resources from nowhere", n)
	}
	if err := has(strings.Join(e.status().Problems, "\n"), "set aside", "nothing that runs is removed"); err != nil {
		t.Errorf("without a cache: show host: %v", err)
	}
	e.mustApply("acme.yaml", acme(onePeer))
	eventually(t, "applied again: the session and its route", e.up)
	unchanged("without a cache")
}

// damage changes the store file while vbrd is killed, and starts it again.
func (e *edge) damage(do func([]byte) []byte) {
	e.t.Helper()
	e.kill()
	text, err := os.ReadFile(e.path("state/intent.db"))
	if err == nil {
		err = os.WriteFile(e.path("state/intent.db"), do(text), 0o600)
	}
	if err != nil {
		e.t.Fatal(err)
	}
	e.start()
}
