package vbr

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/openvbr/openvbr/internal/sealed"
)

// FuzzRecords: the files of the state folder, as damaged as they may be. A record of ids that is not whole is an error and stays as it is: guessing could
// give one customer another's table. One of drained routers is set aside.
func FuzzRecords(f *testing.F) {
	for _, text := range []string{`{"tables":{"vbr-acme":10000},"rds":{"vbr-acme":1}}`, `["vbr-acme"]`, `null`, `{}`, `[`, ``} {
		f.Add([]byte(text))
	}
	f.Add(sealed.Seal(testsKind(), 1, []byte{10, 2, 10, 0}))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		ids, drained := filepath.Join(dir, "ids.json"), filepath.Join(dir, "drained.json")
		for _, file := range []string{ids, drained} {
			if err := os.WriteFile(file, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if x, err := loadIDs(dir, 10000); err == nil && (x.Tables == nil || x.RDs == nil) {
			t.Fatalf("%q is a record without tables", b)
		}
		if now, err := os.ReadFile(ids); err != nil || string(now) != string(b) {
			t.Fatalf("%q became %q: %v", b, now, err)
		}
		if d := loadDrains(dir, slog.New(slog.DiscardHandler)); d.trouble() != "" {
			if aside, err := os.ReadFile(drained + ".damaged"); err != nil || string(aside) != string(b) || len(d.routers) > 0 {
				t.Fatalf("%q set aside as %q: %v", b, aside, err)
			}
		}
		_, _ = decodeTests(b)
		_, _ = decodeTests(sealed.Seal(testsKind(), 1, b))
	})
}

// FuzzDestination: what callers ask about.
func FuzzDestination(f *testing.F) {
	for _, text := range []string{"10.2.3.0/24", "10.2.3.4", "2001:db8::/32", "fe80::1%eth0", "::ffff:10.0.0.1", "10.0.0.0/33", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, a, err := parseDestination(text)
		if err == nil && p.IsValid() == a.IsValid() || p.IsValid() && p != p.Masked() || a.Zone() != "" || a.Is4In6() || p.Addr().Is4In6() {
			t.Fatalf("%q: %v, %v, %v", text, p, a, err)
		}
	})
}
