package rib

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
)

// historyText is a prefix's history, a word or two for each moment, with the seconds since the first.
func historyText(tab *Table, prefix string) string {
	moments, _ := tab.History(pfx(prefix))
	var out []string
	names := [...]string{Announced: "announced", Changed: "changed", WentAway: "went", Installed: "installed", Removed: "removed", Refused: "refused", Exported: "exported", Unexported: "unexported"}
	for _, m := range moments {
		text := fmt.Sprintf("%d %s", int(m.At.Sub(tab.base).Seconds()), names[m.What])
		if m.Source != "" {
			text += " " + m.Source
		}
		switch m.What {
		case Announced, Changed:
			text += " " + m.Verdict.String()
		case WentAway:
			text += " " + m.How.String()
		}
		out = append(out, text)
	}
	return strings.Join(out, "\n")
}

// The whole life of a prefix: each thing that happens to it is there once and in order, and what changes nothing is not.
func TestHistory(t *testing.T) {
	tab := New(testRules())
	start := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	second := 0
	at := func(do func()) {
		tab.SetNow(start.Add(time.Duration(second) * time.Second))
		do()
		tab.NextWindow()
		drainAll(tab)
		second++
	}
	id := tab.AddSource(customer("10.0.0.2", 1, "10.0.0.0/30"))
	p := pfx("10.2.3.0/24")
	say := func(asns ...uint32) { tab.Announce(id, 0, via("10.0.0.2", asns...), p) }
	at(func() { say(65001) })
	at(func() { say(65001) }) // the same again
	at(func() { say(65001, 65010) })
	at(func() { tab.Withdraw(id, 0, p) })
	at(func() { say(65001) })
	at(func() { tab.SetLinkUp(id, false) })
	at(func() { tab.SetLinkUp(id, true) })
	at(func() { tab.NoteExport(p, "ri-acme", true) })
	at(func() { say(65001, 45104) }) // our AS
	at(func() { tab.Drop(id) })
	at(func() { say(65001) })
	at(func() { tab.MarkStale(id); tab.SweepStale(id, false) })
	at(func() { tab.NoteExport(p, "ri-acme", false) })
	want := strings.Trim(`
0 announced 10.0.0.2 accepted
0 installed 10.0.0.2
2 changed 10.0.0.2 accepted
3 went 10.0.0.2 withdrawn
3 removed
4 announced 10.0.0.2 accepted
4 installed 10.0.0.2
5 changed 10.0.0.2 link-down
5 removed
6 changed 10.0.0.2 accepted
6 installed 10.0.0.2
7 exported ri-acme
8 changed 10.0.0.2 as-loop
8 removed
9 went 10.0.0.2 dropped
10 announced 10.0.0.2 accepted
10 installed 10.0.0.2
11 went 10.0.0.2 swept
11 removed
12 unexported ri-acme`, "\n")
	if diff := cmp.Diff(want, historyText(tab, "10.2.3.0/24")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	moments, since := tab.History(p)
	if n := Flaps(moments); n != 2 {
		t.Errorf("%d flaps, want 2", n)
	}
	if !since.Equal(start) {
		t.Errorf("complete since %v, want %v", since, start)
	}
	if got := historyText(tab, "10.2.4.0/24"); got != "" {
		t.Errorf("of another prefix: %s", got)
	}
}

// What the kernel refuses is said once, and that it takes it in the end.
func TestHistoryRefused(t *testing.T) {
	tab := New(testRules())
	id := tab.AddSource(customer("10.0.0.2", 1, "10.0.0.0/30"))
	tab.Announce(id, 0, via("10.0.0.2", 65001), pfx("10.2.3.0/24"))
	for _, held := range []bool{false, false, true} {
		tab.NextWindow()
		tab.Changes(10, func(c Change) { tab.Confirm(c, held) })
		tab.Retry(pfx("10.2.3.0/24"))
	}
	if got, want := historyText(tab, "10.2.3.0/24"), "announced 10.0.0.2 accepted refused 10.0.0.2 installed 10.0.0.2"; lessTimes(got) != want {
		t.Errorf("%q, want %q", lessTimes(got), want)
	}
}

// lessTimes is a history on one line, without times.
func lessTimes(text string) string {
	var out []string
	for line := range strings.Lines(text) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		out = append(out, rest)
	}
	return strings.Join(out, " ")
}

// However much happens, the memory is bounded, the newest stays, and the answer says from when on it is complete.
func TestHistoryIsBounded(t *testing.T) {
	tab := New(testRules())
	start := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	tab.SetNow(start)
	id := tab.AddSource(customer("10.0.0.2", 1, "10.0.0.0/30"))
	early := pfx("10.2.3.0/24")
	tab.Announce(id, 0, via("10.0.0.2", 65001), early)
	for i := range 3 * maxHistory {
		tab.SetNow(start.Add(time.Duration(i) * time.Second))
		tab.NoteExport(netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16, byte(i >> 8), byte(i)}), 32), "ri-acme", true)
	}
	moments, since := tab.History(early)
	if want := start.Add(2 * maxHistory * time.Second); len(moments) != 0 || !since.Equal(want) {
		t.Errorf("%v, complete since %v, want %v", moments, since, want)
	}
	last := 3*maxHistory - 1
	if moments, _ = tab.History(netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16, byte(last >> 8), byte(last)}), 32)); len(moments) != 1 {
		t.Errorf("the newest: %v", moments)
	}
	if size := unsafe.Sizeof(moment{}); size > 64 {
		t.Errorf("a moment takes %d bytes, want 64 at most", size)
	}
	if n := testing.AllocsPerRun(1000, func() { tab.NoteExport(early, "ri-acme", true) }); n != 0 {
		t.Errorf("%v allocations a moment", n)
	}
}

// BenchmarkHistory is what remembering one moment costs.
func BenchmarkHistory(b *testing.B) {
	tab := New(testRules())
	e := newEntry(pfx("10.2.3.0/24"))
	for range maxHistory {
		tab.note(&e, Announced, "10.0.0.2", 0)
	}
	b.ReportAllocs()
	for b.Loop() {
		tab.note(&e, Announced, "10.0.0.2", 0)
	}
}
