package vbr

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const firstTable = 10000

func loadedIDs(t *testing.T, dir string) *ids {
	t.Helper()
	x, err := loadIDs(dir, firstTable)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// table and rd end the test when they are refused.
func (x *ids) mustTable(t *testing.T, router string, asked uint32) uint32 {
	t.Helper()
	n, err := x.table(router, asked)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (x *ids) mustRD(t *testing.T, ri string) uint16 {
	t.Helper()
	n, err := x.rd(ri)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Tables come from the base upwards, stay with their names over restarts, and a gap is filled.
func TestIDsAreStable(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	x := loadedIDs(t, dir)
	got := []uint32{x.mustTable(t, "a", 0), x.mustTable(t, "b", 0), x.mustTable(t, "c", 0), x.mustTable(t, "a", 0)}
	if diff := cmp.Diff([]uint32{10000, 10001, 10002, 10000}, got); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
	x = loadedIDs(t, dir)
	if n := x.mustTable(t, "b", 0); n != 10001 {
		t.Errorf("b has table %d after a restart, had 10001", n)
	}
	if err := x.keep(func(name string) bool { return name != "b" }); err != nil {
		t.Fatal(err)
	}
	x = loadedIDs(t, dir)
	got = []uint32{x.mustTable(t, "d", 0), x.mustTable(t, "c", 0), x.mustTable(t, "e", 0)}
	if diff := cmp.Diff([]uint32{10001, 10002, 10003}, got); diff != "" {
		t.Errorf("tables after b left (-want +got):\n%s", diff)
	}
}

// A table that is asked for is given and remembered, unless another router has it.
func TestIDsAsked(t *testing.T) {
	dir := t.TempDir()
	x := loadedIDs(t, dir)
	if n := x.mustTable(t, "a", 20000); n != 20000 {
		t.Errorf("asked for 20000, got %d", n)
	}
	if n := x.mustTable(t, "a", 0); n != 20000 {
		t.Errorf("no longer asked: %d, want the one it had", n)
	}
	if n := x.mustTable(t, "a", 20001); n != 20001 {
		t.Errorf("asked for another: %d", n)
	}
	if n := x.mustTable(t, "b", 20000); n != 20000 {
		t.Errorf("the table that a gave up: %d", n)
	}
	if n := x.mustTable(t, "c", 0); n != firstTable {
		t.Errorf("c got %d", n)
	}
	if n := x.mustTable(t, "d", 10001); n != 10001 {
		t.Errorf("d got %d", n)
	}
	if n := x.mustTable(t, "e", 0); n != 10002 {
		t.Errorf("e got %d: an asked table was given twice", n)
	}
	_, err := x.table("f", 20001)
	if err == nil {
		t.Fatal("a table was given twice")
	}
	for _, want := range []string{"20001", "router a", x.file} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in: %v", want, err)
		}
	}
	if _, known := loadedIDs(t, dir).Tables["f"]; known {
		t.Error("a refused table was recorded")
	}
}

// The kernel's own tables (linux/rtnetlink.h: RT_TABLE_DEFAULT, _MAIN, _LOCAL) are never allocated.
func TestIDsSkipKernelTables(t *testing.T) {
	x, err := loadIDs(t.TempDir(), 252)
	if err != nil {
		t.Fatal(err)
	}
	if got := []uint32{x.mustTable(t, "a", 0), x.mustTable(t, "b", 0)}; !cmp.Equal(got, []uint32{252, 256}) {
		t.Errorf("tables from 252: %v, want 252 and 256", got)
	}
}

// Whatever comes and goes, no two routers share a table, and none changes the one it has.
func TestIDsProperty(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		x := &ids{file: filepath.Join(dir, "ids.json"), base: 250, Tables: map[string]uint32{}, RDs: map[string]uint16{}}
		for range rapid.IntRange(1, 20).Draw(rt, "steps") {
			name := fmt.Sprint("r", rapid.IntRange(0, 7).Draw(rt, "router"))
			asked := rapid.SampledFrom([]uint32{0, 0, 0, 250, 256, 300}).Draw(rt, "asked")
			had := x.Tables[name]
			n, err := x.table(name, asked)
			switch {
			case err != nil && asked == 0:
				rt.Fatal(err)
			case err == nil && asked != 0 && n != asked, err == nil && asked == 0 && had != 0 && n != had:
				rt.Fatalf("%s had %d, asked %d, got %d", name, had, asked, n)
			}
			if rapid.Bool().Draw(rt, "leave") {
				if err := x.keep(func(s string) bool { return s != name }); err != nil {
					rt.Fatal(err)
				}
			}
			owners := make(map[uint32]string)
			for name, table := range x.Tables {
				if owners[table] != "" || table >= 253 && table <= 255 {
					rt.Fatalf("table %d of %s, also of %q", table, name, owners[table])
				}
				owners[table] = name
			}
		}
	})
}

func TestIDsRouteDistinguishers(t *testing.T) {
	dir := t.TempDir()
	x := loadedIDs(t, dir)
	x.mustRD(t, "ri-a")
	x.mustRD(t, "ri-b")
	x = loadedIDs(t, dir)
	if got := []uint16{x.mustRD(t, "ri-b"), x.mustRD(t, "ri-a"), x.mustRD(t, "ri-c")}; !cmp.Equal(got, []uint16{2, 1, 3}) {
		t.Errorf("after a restart: %v, want 2, 1, 3", got)
	}
	for n := 1; n <= 65535; n++ {
		x.RDs[fmt.Sprint(n)] = uint16(n)
	}
	if _, err := x.rd("one too many"); err == nil || !strings.Contains(err.Error(), "65535") {
		t.Errorf("the 65536th: %v", err)
	}
}

// A damaged record is an error that says what to do: a guess could give one customer another's table.
func TestIDsDamaged(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "ids.json")
	for _, text := range []string{"", "{", `{"tables":null}`, `{"rds":null,"tables":{}}`, `{"tables":{"a":-1}}`, `{"rds":{"a":65536}}`, "\x00\x00"} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := loadIDs(dir, firstTable)
		if err == nil {
			t.Errorf("%q was taken", text)
			continue
		}
		for _, want := range []string{file, "damaged", "--cleanup"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q: no %q in: %v", text, want, err)
			}
		}
	}
}
