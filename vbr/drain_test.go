package vbr

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The record of drained routers outlives its process, forgets whom nobody wants, and stays as it was when it cannot be written.
func TestDrains(t *testing.T) {
	dir := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	applied := 0
	apply := func() { applied++ }
	d := loadDrains(dir, log)
	for _, name := range []string{"vbr-a", "vbr-b", "vbr-a"} {
		if _, err := d.set(name, true, apply); err != nil {
			t.Fatal(err)
		}
	}
	if applied != 2 {
		t.Errorf("applied %d times", applied)
	}
	again := loadDrains(dir, log)
	if !again.has("vbr-a") || !again.has("vbr-b") || again.has("vbr-c") || again.trouble() != "" {
		t.Errorf("read back %v, %s", again.routers, again.trouble())
	}
	if err := again.keep(func(name string) bool { return name == "vbr-b" }); err != nil {
		t.Error(err)
	}
	if changed, err := again.set("vbr-b", false, apply); !changed || err != nil {
		t.Errorf("undrain: %v, %v", changed, err)
	}
	if last := loadDrains(dir, log); len(last.routers) != 0 {
		t.Errorf("left are %v", last.routers)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	applied = 0
	if changed, err := again.set("vbr-a", true, apply); changed || err == nil || again.has("vbr-a") || applied != 0 {
		t.Errorf("without a folder: changed %v, applied %d, %v", changed, applied, err)
	}
	var none *drains
	if none.has("vbr-a") || none.trouble() != "" || none.keep(nil) != nil {
		t.Error("a nil record has something")
	}
}

// A damaged record drains nobody, is set aside and reported, until another takes its place.
func TestDamagedDrains(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "drained.json")
	if err := os.WriteFile(file, []byte(`["vbr-a"`), 0o644); err != nil {
		t.Fatal(err)
	}
	d := loadDrains(dir, slog.New(slog.DiscardHandler))
	if d.has("vbr-a") || !strings.Contains(d.trouble(), file+".damaged") {
		t.Errorf("%v, %q", d.routers, d.trouble())
	}
	if b, err := os.ReadFile(file + ".damaged"); err != nil || string(b) != `["vbr-a"` {
		t.Errorf("set aside: %q, %v", b, err)
	}
	if _, err := d.set("vbr-b", true, func() {}); err != nil || d.trouble() != "" {
		t.Errorf("after another: %v, %q", err, d.trouble())
	}
}
