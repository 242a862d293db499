package docs

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const sizing = root + "/docs/sizing.md"

// TestSizing: the numbers of docs/sizing.md are those of docs/benchmarks.md, or computed from them.
func TestSizing(t *testing.T) {
	text, err := os.ReadFile(root + "/docs/benchmarks.md")
	if err != nil {
		t.Fatal(err)
	}
	b := benchmarks{t, string(text)}
	CheckGenerated(t, sizing, "TestSizing, one router", b.oneRouter())
	CheckGenerated(t, sizing, "TestSizing, a route", b.aRoute())
	CheckGenerated(t, sizing, "TestSizing, many routers", b.manyRouters())
	CheckGenerated(t, sizing, "TestSizing, sessions", b.labelled("Sessions of one router in the default VRF, 100 routes each", "sessions",
		"cold start to the last route (s)", "CPU until at rest (s)", "peak memory (MiB)"))
	CheckGenerated(t, sizing, "TestSizing, admin", b.labelled("Many VBRs in one Apply", "VBRs", "Apply of all, until the reply (s)", "Apply of all, until all devices exist (s)",
		"memory by VBR, all devices, no session (KiB)", "memory by VBR, all sessions up (KiB)"))
}

// benchmarks is docs/benchmarks.md.
type benchmarks struct {
	t    *testing.T
	text string
}

// plain is a measured cell without its spread: "533 (524-538)" is 533.
func plain(cell string) string {
	cell, _, _ = strings.Cut(cell, " (")
	return cell
}

// ours is the column of vbrd below a heading, by the first cell: the number of routes.
func (b benchmarks) ours(title string) (keys []string, values map[string]string) {
	b.t.Helper()
	values = make(map[string]string)
	for _, row := range Rows(b.text, title) {
		if row[0] != "routes" && len(row) > 1 {
			keys = append(keys, row[0])
			values[row[0]] = plain(row[1])
		}
	}
	if len(keys) == 0 {
		b.t.Fatalf("docs/benchmarks.md has no table below %q", title)
	}
	return keys, values
}

func (b benchmarks) oneRouter() string {
	titles := []string{"Peak memory, one peer (MiB)", "Peak memory, two peers (MiB)", "Learn (s)", "CPU to learn (s)", "Withdraw all (s)", "Session drop (s)", "Failover, every probed prefix (s)"}
	out := "| routes | " + strings.ToLower(strings.Join(titles, " | ")) + " |\n|" + strings.Repeat("---:|", len(titles)+1) + "\n"
	out = strings.NewReplacer("mib", "MiB", "cpu", "CPU").Replace(out)
	keys, _ := b.ours(titles[0])
	for _, key := range keys {
		row := []string{key}
		for _, title := range titles {
			_, values := b.ours(title)
			row = append(row, values[key])
		}
		out += "| " + strings.Join(row, " | ") + " |\n"
	}
	return out
}

// aRoute divides what the largest table takes more than the second largest by the routes that it has more.
func (b benchmarks) aRoute() (out string) {
	for _, x := range []struct{ title, what string }{{"Peak memory, one peer (MiB)", "with one peer"}, {"Peak memory, two peers (MiB)", "with two peers that both announce it"}} {
		keys, values := b.ours(x.title)
		few, many := keys[len(keys)-2], keys[len(keys)-1]
		bytes := (b.number(values[many]) - b.number(values[few])) * (1 << 20) / (b.number(many) - b.number(few))
		out += fmt.Sprintf("* %s: (%s - %s) MiB for %s - %s routes: %.1f KiB a prefix.\n", x.what, values[many], values[few], many, few, bytes/1024)
	}
	return out
}

func (b benchmarks) number(text string) float64 {
	b.t.Helper()
	n, err := strconv.ParseFloat(strings.ReplaceAll(text, ",", ""), 64)
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

func (b benchmarks) manyRouters() string {
	return b.labelled("Routers in VRFs, 100 routes each", "routers", "cold start to the last route (s)", "CPU until at rest (s)", "peak memory (MiB)", "peak memory by router (KiB)")
}

// labelled turns rows of (number, label, vbrd, ...) into one row for each number.
func (b benchmarks) labelled(title, what string, labels ...string) string {
	b.t.Helper()
	var numbers []string
	values := make(map[[2]string]string)
	for _, row := range Rows(b.text, title) {
		if len(row) < 3 || !slices.Contains(labels, row[1]) {
			continue
		}
		if !slices.Contains(numbers, row[0]) {
			numbers = append(numbers, row[0])
		}
		values[[2]string{row[0], row[1]}] = plain(row[2])
	}
	out := "| " + what + " | " + strings.Join(labels, " | ") + " |\n|" + strings.Repeat("---:|", len(labels)+1) + "\n"
	for _, n := range numbers {
		row := []string{n}
		for _, label := range labels {
			if values[[2]string{n, label}] == "" {
				b.t.Errorf("docs/benchmarks.md, %s: %s of %s is not there", title, label, n)
			}
			row = append(row, values[[2]string{n, label}])
		}
		out += "| " + strings.Join(row, " | ") + " |\n"
	}
	if len(numbers) == 0 {
		b.t.Errorf("docs/benchmarks.md has no such rows below %q", title)
	}
	return out
}
