package metrics

import (
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// BenchmarkScrape gathers a hundred routers of four sessions each, from statuses that are there already: what the collector itself costs.
func BenchmarkScrape(b *testing.B) {
	var names []string
	for i := range 100 {
		names = append(names, fmt.Sprint("vbr-", i))
	}
	r := collected(New(host{names: names}))
	b.ReportAllocs()
	for b.Loop() {
		if n, err := testutil.GatherAndCount(r); err != nil || n < 5000 {
			b.Fatal(n, err)
		}
	}
}
