package admin

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openvbr/openvbr/internal/docs"
)

// TestQuickstart does what docs/quickstart.md says, in its order, and compares what it shows with what is printed. Its folder is one of the test's.
func TestQuickstart(t *testing.T) {
	text, err := os.ReadFile("../../../docs/quickstart.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "quick")
	parts, err := docs.Parse("quickstart.md", strings.ReplaceAll(string(text), "/tmp/vbr-quick", dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // after a failure; the page itself leaves nothing
		_ = exec.Command("bash", "-c", "for n in vbr-edge vbr-idc; do ip netns pids $n | xargs -r kill -9; ip netns del $n; done").Run()
		log, _ := os.ReadFile(filepath.Join(dir, "vbrd.log"))
		if t.Failed() {
			t.Logf("vbrd:\n%s", log)
		}
	})
	s := shell{folder: filepath.Dir(filepath.Dir(binary(t, "vbrd")))}
	commands := 0
	for _, p := range parts {
		switch {
		case p.File != "":
			put(t, p.File, p.Text)
		case !p.NotRun:
			commands++
			s.follow(t, p)
		}
		if t.Failed() {
			t.FailNow() // what follows rests on it
		}
	}
	if commands < 20 {
		t.Errorf("only %d commands found", commands)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", dir, err)
	}
	t.Logf("%d commands of the quick start were run", commands)
}

// shell runs command lines one by one; what is exported stays in force.
type shell struct {
	folder  string // where they run
	exports string // command lines
}

// follow runs one command, again while it only looks and does not show what is expected yet.
func (s *shell) follow(t *testing.T, p docs.Part) {
	t.Helper()
	if strings.HasPrefix(p.Command, "export ") {
		s.exports += p.Command + "\n"
	}
	look := func() error {
		out, status := s.run(p.Command)
		if status != p.Status {
			return fmt.Errorf("exit status %d, want %d:\n%s", status, p.Status, out)
		}
		if err := p.Matches(out); err != nil {
			return fmt.Errorf("%w\nbut:\n%s", err, out)
		}
		t.Logf("quickstart.md:%d: %s\n%s", p.Line, p.Command, out)
		return nil
	}
	if what := fmt.Sprintf("quickstart.md:%d: %s", p.Line, p.Command); p.Looks() {
		eventually(t, what, look)
	} else if err := look(); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// run returns all that a command line prints, but for what goes on in the background, and its exit status: -1 if it could not be run.
func (s *shell) run(command string) (out string, status int) {
	cmd := exec.Command("timeout", "60", "bash", "-c", "exec 2>&1\n"+s.exports+command)
	cmd.Dir = s.folder
	text, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(text), exit.ExitCode()
	} else if err != nil {
		return string(text) + err.Error(), -1
	}
	return string(text), 0
}
