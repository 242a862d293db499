package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/docs"
	"github.com/openvbr/openvbr/internal/lab"
	"github.com/openvbr/openvbr/internal/lab/topo"
)

// guideLimit is how long a command that looks may take to print what the guide shows.
const guideLimit = 30 * time.Second

// TestGuide does what docs/guide.md says, in its order, and compares what it shows with what is printed. The rules are
// in the comment at the guide's top, and package docs has them.
func TestGuide(t *testing.T) {
	text, err := os.ReadFile("../../docs/guide.md")
	if err != nil {
		t.Fatal(err)
	}
	parts, err := docs.Parse("guide.md", string(text))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{Topology: topo.FirstLight(lab.New(t), topo.Options{Reflector: true, Stored: true}), t: t}
	w.vbrd = w.StartVbrd(binary(t))
	w.eventually(20*time.Second, "the API", func() error { _, err := w.Vbrctl(binary(t), "show", "host"); return err })
	w.Lab.File("guide/customers/.keep", "") // the folder where the commands run
	commands := 0
	for _, p := range parts {
		switch {
		case p.File != "":
			w.Lab.File("guide/"+p.File, p.Text)
		case p.NotRun:
			t.Logf("guide.md:%d: not run: %s", p.Line, strings.Split(p.Text, "\n")[0])
		default:
			w.runGuide(t, p)
			commands++
		}
	}
	if commands < 20 {
		t.Errorf("only %d commands found in the guide", commands)
	}
	t.Logf("%d commands of the guide were run", commands)
}

// runGuide runs one command, again while it only looks and does not show what is expected yet.
func (w *world) runGuide(t *testing.T, p docs.Part) {
	began := time.Now()
	out := ""
	look := func() (err error) {
		var status int
		out, status, err = w.guideShell(binary(t), p.Host, p.Command)
		if err != nil {
			return err
		}
		if status != p.Status {
			return fmt.Errorf("exit status %d, want %d", status, p.Status)
		}
		return p.Matches(out)
	}
	limit := time.Duration(0)
	if p.Looks() {
		limit = guideLimit
	}
	_, err := lab.Within(limit, look)
	t.Logf("line %d: %s# %s (%v)\n%s", p.Line, p.Host, p.Command, time.Since(began).Round(time.Millisecond), out)
	if err != nil {
		t.Errorf("line %d: %s: %v", p.Line, p.Command, err)
	}
}

// guideShell runs a command line of the guide on a host and returns all that it printed.
func (w *world) guideShell(vbrd, host, command string) (out string, status int, err error) {
	script := fmt.Sprintf("export PATH=%q:$PATH VBRCTL_SOCKET=%q; cd %q && %s", filepath.Dir(vbrd), w.Socket, filepath.Join(w.Lab.Dir, "guide"), command)
	out, err = w.Lab.Namespace(host).Run("bash", "-c", "exec 2>&1; "+script)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return out, exit.ExitCode(), nil
	}
	return out, 0, err
}
