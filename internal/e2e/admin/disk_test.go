package admin

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// fill leaves no room on a file's disk.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 64 << 10; size > 0; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// bulky is so many connections of another host, that do not compress well.
func bulky(n int) (out []*vbrv1.Resource) {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range n {
		c := connection(fmt.Sprintf("pc-far-%d", i), fmt.Sprintf("eth%d", i), "far")
		for range 20 {
			c.GetPhysicalConnection().Description += fmt.Sprintf("%x", r.Uint32())
		}
		out = append(out, c)
	}
	return out
}

// A full disk refuses what is applied and says so; the store and the router are as before, and when there is room all goes on.
func TestDiskFull(t *testing.T) {
	e := newEdge(t, "edge1", "")
	put(t, e.path("state/.keep"), "")
	if err := syscall.Mount("tmpfs", e.path("state"), "tmpfs", 0, "size=2m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(e.path("state"), syscall.MNT_DETACH) })
	e.bird("")
	e.start()
	e.mustApply("acme.yaml", acme(onePeer))
	eventually(t, "the session and its route", e.up)
	eventually(t, "the first revision runs", e.settled(1))
	before, since := e.resources(), e.since()
	fill(t, e.path("state/filler"))

	for range 2 {
		err := e.apply("bulky.yaml", documents(t, bulky(500)))
		if err == nil {
			t.Fatal("500 resources were taken on a full disk")
		}
		if err := has(err.Error(), "no space left on device", "intent.db"); err != nil {
			t.Error(err)
		}
		if err := audited(e.log.String(), `"code":"Unavailable"`, "no space left on device"); err != nil {
			t.Error(err)
		}
		if err := sameResources(e.resources(), before); err != nil || e.head() != 1 {
			t.Errorf("the store has changed to revision %d: %v", e.head(), err)
		}
		if err := has(strings.Join(e.status().Problems, "\n"), "no space left on device"); err != nil {
			t.Error("show host:", err)
		}
	}
	if err := e.up(); err != nil || !e.since().Equal(since) {
		t.Errorf("the session was touched: %v", err)
	}

	if err := os.Remove(e.path("state/filler")); err != nil {
		t.Fatal(err)
	}
	e.mustApply("bulky.yaml", documents(t, bulky(500)))
	eventually(t, "the second revision runs, without problems", e.settled(2))
	if n := len(e.resources()); n != len(before)+500 {
		t.Errorf("%d resources", n)
	}
	e.kill()
	e.start()
	if n := len(e.resources()); n != len(before)+500 || e.head() != 2 {
		t.Errorf("after a restart %d resources, revision %d", n, e.head())
	}
	eventually(t, "the session and its route again", e.up)
}

// settled is nil when the host runs a revision and nothing is wrong.
func (e *edge) settled(revision uint64) func() error {
	return func() error {
		if h := e.status(); h.Revision != revision || len(h.Problems) > 0 {
			return fmt.Errorf("revision %d, problems %q", h.Revision, h.Problems)
		}
		return nil
	}
}

// audited is nil when an audit line has all the words.
func audited(log string, words ...string) error {
	var lines []string
	for line := range strings.Lines(log) {
		if strings.Contains(line, `"msg":"audit"`) {
			if lines = append(lines, line); has(line, words...) == nil {
				return nil
			}
		}
	}
	return fmt.Errorf("no audit line has %q:\n%s", words, strings.Join(lines, ""))
}
