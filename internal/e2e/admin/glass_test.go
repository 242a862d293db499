package admin

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// browse has a headless Chromium of a person, on the host, show a page of the looking glass, and returns the document that its scripts made of it.
func (e *edge) browse(who person, path string) (string, error) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	home, err := os.MkdirTemp(e.dir, "browser")
	if err == nil {
		err = os.Chmod(home, 0o777)
	}
	if err != nil {
		e.t.Fatal(err)
	}
	words := []string{"ip", "netns", "exec", e.host}
	if who != root {
		words = append(words, "setpriv", "--reuid", fmt.Sprint(who.uid), "--regid", who.groups, "--clear-groups")
	}
	words = append(words, "chromium-headless-shell", "--no-sandbox", "--disable-gpu", "--user-data-dir="+home, "--dump-dom", "http://127.0.0.1:9343"+path)
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Env = append(os.Environ(), "HOME="+home)
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%q: %w; `make deps-browser` installs what is needed", words, err)
	}
	return string(out), nil
}

// A real vbrd shows a real customer's route to a real browser; to each user of the host as much as vbrctl would.
func TestGlass(t *testing.T) {
	e := newEdge(t, "edge1", "glass: {listen: '127.0.0.1:9343'}\n")
	e.people()
	e.start()
	e.bird("")
	e.mustApply("acme.yaml", acme(onePeer))
	eventually(t, "the route is there", e.up)
	for _, tt := range []struct {
		who  person
		path string
		want []string
	}{
		{root, "/", []string{"vbr-acme", ">ready<", "1/1", "uid:0(root)", "Update every 10 s"}}, // the last is the script's
		{acmeUser, "/router/vbr-acme", []string{"10.0.0.2", ">established<", "eth1", "uid:4711"}},
		{acmeUser, "/router/vbr-acme/routes?search=172.16.0.0/12", []string{"172.16.1.0/24", ">best<", "1 route on this page"}},
		{nobody, "/explain?router=vbr-acme&prefix=172.16.1.9", nil}, // the socket is open to him, and nothing behind it
		{root, "/explain?router=vbr-acme&prefix=172.16.1.9", []string{"172.16.1.0/24", "via 10.0.0.2 dev eth1", "10.0.0.2 (AS 65001)"}},
		{root, "/events", []string{"session up", "Pause"}},
	} {
		page, err := e.browse(tt.who, tt.path)
		if err == nil {
			err = has(page, tt.want...)
		}
		if err == nil && tt.want == nil {
			err = has(page, "you are uid:4714, whom vbrd's settings do not know")
			if strings.Contains(page, "172.16.1.0/24") {
				t.Errorf("a stranger sees:\n%s", page)
			}
		}
		if err != nil {
			t.Errorf("%s for %v: %v", tt.path, tt.who, err)
		}
	}
}
