// Package clab has the test that plays the containerlab topologies of examples/clab with the real vbrd and FRR.
package clab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
	"github.com/openvbr/openvbr/internal/lab/clab"
)

func TestMain(m *testing.M) { lab.Main(m, nil) }

const (
	examples = "../../../examples/clab"
	bin      = "../../../bin"
)

// TestClab plays each topology as its file says and looks at what its assert.yml says.
func TestClab(t *testing.T) {
	if _, err := os.Stat(filepath.Join(bin, "vbrd")); err != nil {
		t.Fatalf("%v; run `make build`", err)
	}
	files, err := filepath.Glob(filepath.Join(examples, "*/*"+clab.Suffix))
	if err != nil || len(files) < 6 {
		t.Fatalf("%d topologies in %s, want 6 and more: %v", len(files), examples, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) { play(t, file) })
	}
}

func play(t *testing.T, file string) {
	topology, err := clab.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	assertions, err := clab.LoadAssertions(topology)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	running := clab.Play(lab.New(t), topology, bin)
	t.Logf("runs after %.1f s", time.Since(began).Seconds())
	for i := range assertions {
		a := &assertions[i]
		took, err := running.Check(a)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%4.1f s  assert.yml:%d %s# %s", took.Seconds(), a.Pos.Line, a.Node, strings.Join(a.Run, " "))
	}
	t.Logf("%d assertions hold after %.1f s", len(assertions), time.Since(began).Seconds())
}
