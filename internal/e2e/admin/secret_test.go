package admin

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/openvbr/openvbr/vbr/intent/store"
)

// The contents of key files: that of the session, one that the customer does not have, one that is too long.
const (
	canary      = "c4n4ry-k3y-right"
	wrongCanary = "c4n4ry-k3y-wrong"
	mark        = "c4n4ry" // what all of them have
)

// leaks are the key as it is, and as what prints or marshals bytes would write it.
var leaks = []string{mark, "63346e347279", "YzRuNHJ5", "99 52 110 52 114 121", "99,52,110,52,114,121"}

// looks are the commands of vbrctl that look at acme's.
var looks = []string{
	"show host", "show routers", "show router vbr-acme", "show sessions vbr-acme", "show sessions", "show routes -r vbr-acme", "explain 172.16.1.9 -r vbr-acme",
	"events", "get all", "history", "diff 1", "version", "__complete get vbr ", "__complete show router ",
}

// everything runs every command that looks and returns what they write.
func (e *edge) everything(who person) string {
	e.t.Helper()
	var all strings.Builder
	for _, words := range looks {
		for _, format := range []string{"wide", "json"} {
			out, err := e.tryAs(who, append(strings.Fields(words), "-o", format)...)
			fmt.Fprintln(&all, out, err)
		}
	}
	return all.String()
}

// keep starts vbrctls that go on until the test ends, and returns what they write.
func (e *edge) keep(who person) map[string]*output {
	e.t.Helper()
	kept := map[string]*output{}
	for _, words := range []string{"watch all -o json", "watch all -o yaml", "events --follow -o json", "events --follow"} {
		kept[words] = newOutput(e.t)
		start(e.t, kept[words], e.vbrctl(who, strings.Fields(words)...)...)
	}
	return kept
}

// A BGP key that a session uses, and one that a session fails with, are in nothing that vbrd and vbrctl say or write.
func TestSecretsStaySecret(t *testing.T) {
	e := newEdge(t, "edge1", "")
	key, wrong, long := put(t, e.path("keys/acme/right"), canary+"\n"), put(t, e.path("keys/acme/wrong"), wrongCanary+"\n"), put(t, e.path("keys/acme/long"), strings.Repeat(canary, 9))
	with := func(path string) string {
		return acme(strings.Replace(onePeer, "}", ", auth_key_file: "+path+"}", 1))
	}
	said := &strings.Builder{}
	do := func(yaml, command string, words ...string) error {
		out, err := e.try(append([]string{command, "-f", put(t, e.path("acme.yaml"), yaml)}, words...)...)
		fmt.Fprintln(said, out, err)
		return err
	}
	e.bird(canary)
	e.start()
	kept := e.keep(root)
	for _, command := range []string{"plan", "apply"} {
		if err := do(with(key), command); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the session with the key", e.up)

	for what, path := range map[string]string{"key in place of its file": canary, "key after a slash": "./" + canary, "too long a key": long, "a folder": e.path("keys/acme")} {
		if do(with(path), "apply") == nil {
			t.Errorf("%s was taken", what)
		}
	}
	if err := do(with(wrong), "apply", "-o", "json"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the session is down with the wrong key", func() error {
		if e.up() == nil {
			return fmt.Errorf("it is up")
		}
		return has(e.log.String(), "session down")
	})
	said.WriteString(e.everything(root))
	for _, words := range []string{"reset -r vbr-acme", "reset -r vbr-acme --soft", "drain vbr-acme", "undrain vbr-acme", "rollback 1 --dry-run", "delete vbr vbr-acme --dry-run", "rollback 1"} {
		out, err := e.try(strings.Fields(words)...)
		fmt.Fprintln(said, out, err)
	}
	eventually(t, "the session with the key again", e.up)
	said.WriteString(e.everything(root))
	e.kill()

	texts := map[string]string{"vbrctl": said.String(), "the log": e.log.String(), "the store": dump(t, e.path("state/intent.db")), "the cache": cached(t, e.path("state"))}
	for words, o := range kept {
		texts[words] = o.String()
	}
	for what, text := range texts {
		seen := "keys/acme/right" // the path of the key's file may be seen
		if strings.HasPrefix(what, "events") {
			seen = "vbr-acme"
		}
		if !strings.Contains(text, seen) {
			t.Errorf("%s has no %q: nothing was looked at:\n%s", what, seen, text)
		}
		secret(t, what, text)
	}
	if err := audited(e.log.String(), "ResourceService/Apply", "InvalidArgument"); err != nil {
		t.Error(err)
	}
	_ = filepath.WalkDir(e.path("state"), func(path string, _ fs.DirEntry, _ error) error {
		if text, err := os.ReadFile(path); err == nil {
			secret(t, path, string(text))
		}
		return nil
	})
}

// secret tells where a text has the key.
func secret(t *testing.T, what, text string) {
	t.Helper()
	for _, leak := range leaks {
		if at := strings.Index(text, leak); at >= 0 {
			t.Errorf("%s has the key: %q", what, text[max(0, at-300):min(len(text), at+50)])
		}
	}
}

// dump is all that a store holds.
func dump(t *testing.T, path string) string {
	t.Helper()
	st, err := store.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	list, err := st.List(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, r := range list {
		whole, err := st.Get(t.Context(), r.Number)
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(protojson.Format(whole))
	}
	return all.String()
}

// cached is what the cache in a state folder holds.
func cached(t *testing.T, state string) string {
	t.Helper()
	found, _ := filepath.Glob(state + "/cache-*")
	if len(found) != 1 {
		t.Fatalf("caches: %q", found)
	}
	r, err := store.ReadCache(found[0])
	if err != nil {
		t.Fatal(err)
	}
	return protojson.Format(r)
}
