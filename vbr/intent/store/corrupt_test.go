package store

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// victim is the bytes of a store file with branch pages, pages with overflow, inline buckets and free pages.
func victim(t *testing.T) (file []byte, revisions []*vbrv1.StoredRevision) {
	path := t.TempDir() + "/store.db"
	s := openTestFile(t, path)
	for n := range uint64(120) {
		r := revision(n+1, int(n%8))
		if n%30 == 29 {
			r = revision(n+1, 150)
		}
		mustAppend(t, s, r)
		r.Schema = 1
		revisions = append(revisions, r)
	}
	s.Close()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return file, revisions
}

// outcome opens the damaged file: it is set aside, whole, and the next store is empty; or all that it gives is what
// was stored and what it does not give is an error, tried with some; then it can be written, tried now and then.
func outcome(t *testing.T, what string, file []byte, revisions []*vbrv1.StoredRevision) (aside bool) {
	t.Helper()
	path := t.TempDir() + "/store.db"
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(filepath.Dir(path))
	s, err := OpenFile(path)
	if err != nil {
		wasSetAside(t, what, path, err, file)
		return true
	}
	defer s.Close()
	head := revisions[len(revisions)-1]
	if got, err := s.Head(t.Context()); err != nil || !proto.Equal(head, got) {
		t.Fatalf("%s: head %v, %v", what, got.GetRevision(), err)
	}
	list, err := s.List(t.Context(), 0)
	if err != nil || len(list) != len(revisions) {
		t.Fatalf("%s: %d revisions, %v", what, len(list), err)
	}
	for range 15 {
		i := rand.IntN(len(revisions))
		want := revisions[i]
		got, err := s.Get(t.Context(), uint64(i+1))
		switch {
		case errors.As(err, new(*CorruptError)):
			if !strings.Contains(s.Problem(), "is damaged") {
				t.Fatalf("%s: %v, but Problem is %q", what, err, s.Problem())
			}
		case err != nil || !proto.Equal(want, got):
			t.Fatalf("%s: revision %d: %v, %v", what, i+1, got.GetRevision(), err)
		}
	}
	if rand.IntN(10) == 0 { // it takes its time
		mustAppend(t, s, revision(head.Revision.Number+1, 30))
	}
	return false
}

func wasSetAside(t *testing.T, what, path string, err error, file []byte) {
	t.Helper()
	corrupt := new(CorruptError)
	if !errors.As(err, &corrupt) || corrupt.Path != path || !strings.HasPrefix(corrupt.SetAside, path+".corrupt-2") {
		t.Fatalf("%s: %v", what, err)
	}
	if kept, err := os.ReadFile(corrupt.SetAside); err != nil || !bytes.Equal(kept, file) {
		t.Fatalf("%s: %s is not what was there: %v", what, corrupt.SetAside, err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%s: %s is still there: %v", what, path, err)
	}
}

func TestAfterSettingAsideThereIsAnEmptyOne(t *testing.T) {
	path := t.TempDir() + "/store.db"
	if err := os.WriteFile(path, []byte("kind: VirtualBorderRouter\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := OpenFile(path)
	wasSetAside(t, "text", path, err, []byte("kind: VirtualBorderRouter\n"))
	mustAppend(t, openTestFile(t, path), revision(1, 1))
}

func TestTruncated(t *testing.T) {
	file, revisions := victim(t)
	aside := 0
	for size := 0; size < len(file); size += 1 + rand.IntN(4096) {
		if outcome(t, "truncated", file[:size], revisions) {
			aside++
		}
	}
	t.Logf("%d times set aside", aside)
	for _, size := range []int{0, 1, 4096, 8192, len(file) / 2} {
		if !outcome(t, "truncated", file[:size], revisions) {
			t.Errorf("truncated to %d of %d bytes, it opens", size, len(file))
		}
	}
}

// Of a small store that is cut nothing is silently empty or old: it is set aside whole, or has all that was stored. With VBR_SOAK=1 it is cut at
// every byte, else around each sector and at some bytes in between.
func TestTruncatedAtEveryByte(t *testing.T) {
	path := t.TempDir() + "/store.db"
	s := openTestFile(t, path)
	for n := range uint64(2) {
		mustAppend(t, s, revision(n+1, 1))
	}
	s.Close()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	whole, tried := 0, 0
	for size := range len(file) {
		if near := (size + 1) % 512; near > 2 && size%97 != 0 && os.Getenv("VBR_SOAK") == "" {
			continue
		}
		tried++
		if !truncatedAt(t, path, file, size) {
			whole++
		}
	}
	t.Logf("of %d lengths %d open", tried, whole)
	if !truncatedAt(t, path, file, len(file)/2) {
		t.Error("half of it opens")
	}
}

// truncatedAt opens so much of a store of two revisions.
func truncatedAt(t *testing.T, path string, file []byte, size int) (aside bool) {
	if err := os.WriteFile(path, file[:size], 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := OpenFile(path)
	if err != nil {
		corrupt := new(CorruptError)
		if !errors.As(err, &corrupt) || corrupt.SetAside == "" {
			t.Fatalf("%d bytes: %v", size, err)
		}
		kept, err := os.ReadFile(corrupt.SetAside)
		if err != nil || !bytes.Equal(kept, file[:size]) {
			t.Fatalf("%d bytes: %s is not what was there: %v", size, corrupt.SetAside, err)
		}
		_ = os.Remove(corrupt.SetAside)
		return true
	}
	defer s.Close()
	for n := range uint64(2) {
		if got, err := s.Get(t.Context(), n+1); err != nil || got.Revision.Number != n+1 || len(got.Resources) != 1 {
			t.Fatalf("%d bytes: revision %d: %v, %v", size, n+1, got, err)
		}
	}
	return false
}

func TestFlipped(t *testing.T) {
	file, revisions := victim(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("%d bytes, seed %d", len(file), seed)
	random := rand.New(rand.NewPCG(seed, 0))
	damage := map[string]func(b []byte, at int){
		"a bit":    func(b []byte, at int) { b[at] ^= 1 << random.IntN(8) },
		"a byte":   func(b []byte, at int) { b[at] ^= byte(1 + random.IntN(255)) },
		"a header": func(b []byte, at int) { b[at&^4095+random.IntN(64)] ^= byte(1 + random.IntN(255)) },
		"a sector": func(b []byte, at int) { clear(b[at&^511:][:512]) },
		"a page":   func(b []byte, at int) { copy(b[at&^4095:][:4096], b[random.IntN(len(b)/4096)*4096:]) },
		"some noise": func(b []byte, at int) {
			for i := range min(64, len(b)-at) {
				b[at+i] = byte(random.Uint32())
			}
		},
	}
	for name, do := range damage {
		aside := 0
		const times = 60
		for range times {
			b := bytes.Clone(file)
			do(b, random.IntN(len(b)))
			if outcome(t, name, b, revisions) {
				aside++
			}
		}
		t.Logf("%s: %d of %d times set aside", name, aside, times)
		if aside == 0 {
			t.Errorf("%s was never noticed", name)
		}
	}
}

// The newer meta page damaged, bbolt itself goes back to the older: one revision is lost and nobody is told.
func TestDamagedMetaDoesNotGoBack(t *testing.T) {
	file, revisions := victim(t)
	for at := range 2 * 4096 {
		if at%4096 < pageHeader || at%4096 >= pageHeader+metaSize {
			continue
		}
		b := bytes.Clone(file)
		b[at] ^= 0x10
		if !outcome(t, "meta", b, revisions) {
			t.Errorf("byte %d of the meta pages is damaged, it opens", at)
		}
	}
	for _, newer := range []int{0, 4096} {
		b := bytes.Clone(file)
		copy(b[newer:][:4096], file[4096-newer:])
		if !outcome(t, "meta", b, revisions) {
			t.Errorf("the meta page at byte %d is a copy of the other, it opens", newer)
		}
	}
}

// A page that is its own child would have bbolt recurse until the stack ends the process.
func TestCycle(t *testing.T) {
	file, revisions := victim(t)
	found := 0
	for at := 2 * 4096; at < len(file); at += 4096 {
		page := file[at : at+4096]
		if order.Uint16(page[8:]) == branchPage && order.Uint64(page) == uint64(at/4096) {
			b := bytes.Clone(file)
			order.PutUint64(b[at+pageHeader+8:], uint64(at/4096))
			if outcome(t, "cycle", b, revisions) {
				found++
			}
		}
	}
	if found == 0 {
		t.Error("no branch page is in use")
	}
}

// The file gets shorter under a running store: errors, a Problem, and no SIGBUS.
func TestTruncatedWhileOpen(t *testing.T) {
	file, _ := victim(t)
	for _, size := range []int64{0, 4096, 8192, int64(len(file) / 2)} {
		path := t.TempDir() + "/store.db"
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		s := openTestFile(t, path)
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		var err error
		for n := uint64(1); n <= 120 && err == nil; n++ {
			_, err = s.Get(t.Context(), n)
		}
		if !errors.Is(err, ErrUnavailable) || s.Problem() == "" {
			t.Errorf("%d bytes left: %v, Problem %q", size, err, s.Problem())
		}
		if err := s.Append(t.Context(), revision(121, 1)); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%d bytes left: Append: %v", size, err)
		}
		s.Close()
		if _, err := OpenFile(path); !errors.As(err, new(*CorruptError)) {
			t.Errorf("%d bytes left: %v", size, err)
		}
	}
}

// What was set aside is found at later starts, the last first, and only that of this store.
func TestAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "intent[1].db")
	if got := Aside(path); got != "" {
		t.Errorf("nothing was set aside, got %s", got)
	}
	for _, end := range []string{".corrupt-20261128T101112.000000Z", ".corrupt-20261129T101112.000000Z", ".corrupt-20261128T221112.000000Z"} {
		if err := os.WriteFile(path+end, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := Aside(path); got != path+".corrupt-20261129T101112.000000Z" {
		t.Errorf("got %s", got)
	}
	if got := Aside(filepath.Join(filepath.Dir(path), "intent1.db")); got != "" {
		t.Errorf("another store's: %s", got)
	}
}
