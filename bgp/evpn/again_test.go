package evpn

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func connected(t *testing.T) (a, b *node) {
	t.Helper()
	a, b = startNode(t, 64600, "192.0.2.1"), startNode(t, 64600, "192.0.2.2")
	pb := a.as(b)
	pb.Passive = true
	must(t, b.SetPeers([]Peer{pb}))
	must(t, a.SetPeers([]Peer{b.as(a)}))
	b.rec.Wait(t, 0, "up=true", "families=evpn")
	time.Sleep(300 * time.Millisecond) // changes just after a session came up are said twice
	return a, b
}

// Again tells what the peer holds announced with a target, whole, and nothing else.
func TestAgain(t *testing.T) {
	a, b := connected(t)
	mine, other, gone := tenant(1, "10.100.0.0/16"), tenant(2, "10.100.0.0/16"), tenant(1, "10.101.0.0/16")
	mine.MED, mine.HasMED, mine.Communities = 7, true, []uint32{65001}
	must(t, a.Export([]Route{mine, other, gone}))
	m := b.rec.Wait(t, 0, "+ [192.0.2.1:1]10.101.0.0/16")
	b.rec.Wait(t, 0, "+ [192.0.2.1:2]10.100.0.0/16")
	must(t, a.Withdraw([]Key{gone.Key}))
	m = b.rec.Wait(t, m, "- [192.0.2.1:1]10.101.0.0/16")
	b.Again(mine.Targets)
	b.rec.Wait(t, m, "+ [192.0.2.1:1]10.100.0.0/16", fmt.Sprintf("peer=%v nh=192.0.2.1 vni=5001 rmac=02:00:5e:00:53:01 rt=[64600:5001]", a.addr), "lp=100 med=7 comm=[65001]")
	if n := len(b.rec.Lines()) - m; n != 1 {
		t.Errorf("%d lines, want one:\n%s", n, strings.Join(b.rec.Lines()[m:], "\n"))
	}
	b.Again(tenant(9, "10.100.0.0/16").Targets)
	must(t, b.Close(true))
	b.Again(mine.Targets) // closed: nothing
	if n := len(b.rec.Lines()) - m; n != 1 {
		t.Errorf("%d lines after Again without a route and after Close", n)
	}
}

// While a route comes and goes, Again does not bring back what has gone.
func TestAgainRaces(t *testing.T) {
	a, b := connected(t)
	r := tenant(1, "10.100.0.0/16")
	for i := range 30 {
		m := len(b.rec.Lines())
		must(t, a.Export([]Route{r}))
		b.rec.Wait(t, m, "+ [192.0.2.1:1]10.100.0.0/16") // one that is withdrawn before it is told is not told
		done := make(chan error)
		go func() {
			time.Sleep(time.Duration(i%5) * 200 * time.Microsecond)
			done <- a.Withdraw([]Key{r.Key})
		}()
		for range 20 {
			b.Again(r.Targets)
		}
		must(t, <-done)
		b.rec.Wait(t, m, "- [192.0.2.1:1]10.100.0.0/16")
		b.Again(r.Targets)
		if last := b.rec.Lines()[len(b.rec.Lines())-1]; !strings.HasPrefix(last, "- ") {
			t.Fatalf("round %d: the last word is %s", i, last)
		}
	}
}
