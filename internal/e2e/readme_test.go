package e2e

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/docs"
	"github.com/openvbr/openvbr/internal/lab"
	"github.com/openvbr/openvbr/internal/lab/topo"
)

// TestReadme does what README.md says to do in the shell of `make lab`, with the revision that is there by then.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	parts, err := docs.Parse("README.md", string(text))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{Topology: topo.FirstLight(lab.New(t), topo.Options{Reflector: true, Stored: true}), t: t}
	w.vbrd = w.StartVbrd(binary(t))
	w.eventually(20*time.Second, "the API", func() error { _, err := w.Vbrctl(binary(t), "show", "host"); return err })
	if out, err := w.Vbrctl(binary(t), "apply", "-f", w.Resources); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	w.Lab.File("guide/.keep", "")
	if err := os.Symlink(w.Resources, filepath.Join(w.Lab.Dir, "guide/resources.d")); err != nil {
		t.Fatal(err)
	}
	commands := 0
	for _, p := range parts {
		if !p.NotRun {
			w.runGuide(t, p)
			commands++
		}
	}
	if commands < 8 {
		t.Errorf("only %d commands found in README.md", commands)
	}
}
