package sealed

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"
)

var kind = Kind{'T', 'E', 'S', 'T'}

func open(b []byte) (string, error) {
	_, body, err := Open(kind, 3, b)
	return string(body), err
}

func TestOpenGivesWhatWasSealedAndNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "body")
		sealed := Seal(kind, 2, body)
		version, got, err := Open(kind, 3, sealed)
		if err != nil || version != 2 || !bytes.Equal(got, body) {
			t.Fatalf("version %d, %q, %v", version, got, err)
		}
		cut := rapid.IntRange(0, len(sealed)-1).Draw(t, "cut")
		if _, err := open(sealed[:cut]); !errors.Is(err, ErrDamaged) {
			t.Fatalf("cut to %d: %v", cut, err)
		}
		sealed[rapid.IntRange(0, len(sealed)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if _, err := open(sealed); !errors.Is(err, ErrDamaged) {
			t.Fatalf("a bit flipped: %v", err)
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	for name, b := range map[string][]byte{
		"bad: another kind":  Seal(Kind{'X'}, 1, nil),
		"bad: version 0":     Seal(kind, 0, nil),
		"bad: newer version": Seal(kind, 4, nil),
		"bad: more behind":   append(Seal(kind, 1, nil), 0),
		"bad: empty":         nil,
	} {
		if _, err := open(b); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if _, err := Load(path, open); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if err := Write(path, Seal(kind, 1, []byte("hello"))); err != nil {
		t.Fatal(err)
	}
	if got, err := Load(path, open); got != "hello" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	for _, damage := range []string{"half a f", "another"} {
		if err := os.WriteFile(path, []byte(damage), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path, open); !errors.Is(err, ErrDamaged) {
			t.Errorf("damaged: %v", err)
		}
		if b, err := os.ReadFile(path + aside); string(b) != damage || err != nil {
			t.Errorf("set aside: %q, %v", b, err)
		}
		if _, err := Load(path, open); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("after it was set aside: %v", err)
		}
	}
}

func TestWriteRefusesWhatLoadWouldNotRead(t *testing.T) {
	if err := Write(filepath.Join(t.TempDir(), "f"), make([]byte, MaxSize+1)); err == nil {
		t.Error("too large a file was written")
	}
}
