package lab_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/openvbr/openvbr/internal/lab"
)

// What a namespace mounts is seen by what runs in it, by whoever enters it, and by nobody else.
func TestMounts(t *testing.T) {
	l := lab.New(t)
	one, two := l.Namespace("one"), l.Namespace("two")
	dir := filepath.Join(l.Dir, "room")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	one.Mounts(func() error {
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, "file"), []byte("one's"), 0o600)
	})
	if out := one.MustRun("cat", filepath.Join(dir, "file")); out != "one's" {
		t.Errorf("one sees %q", out)
	}
	p := one.Start("cat", filepath.Join(dir, "file"))
	<-p.Done()
	if log := p.Log(); log != "one's" {
		t.Errorf("one's process sees %q", log)
	}
	enter := append(one.Enter(), "sh", "-c", "cat "+filepath.Join(dir, "file")+"; ip netns identify")
	if out, err := exec.Command(enter[0], enter[1:]...).CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "one'sone" {
		t.Errorf("%q sees %q, %v", enter, out, err)
	}
	if out := two.MustRun("ls", dir); out != "" {
		t.Errorf("two sees %q", out)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("the lab sees %v, %v", files, err)
	}
}
