package admin

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var (
	kills      = flag.Int("kills", 1, "how often TestSoak kills vbrd")
	soakRoutes = flag.Int("soak-routes", 1000, "how many routes the customer announces in TestSoak")
	seed       = flag.Uint64("seed", 1, "of TestSoak's random moments")
)

const (
	// soakStep is how long after all was right the kill comes, at most.
	soakStep     = 3 * time.Second
	soakPatience = 40 * time.Second // 3 to 11 s were measured with 3 sites of 10,000 routes each
)

// Random kills while the customer's routes flap and intents are applied: after each, what was acknowledged is stored, and all gets right. The
// time to that is from the start of vbrd until kernel, devices, customer and VPC have what they should.
func TestSoak(t *testing.T) {
	var mu sync.Mutex
	var took []time.Duration
	done := func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		if took = append(took, d); len(took)%10 == 0 {
			fmt.Printf("soak: %d of %d kills, the last one back after %v\n", len(took), *kills, d.Round(time.Millisecond))
		}
	}
	t.Run("sites", func(t *testing.T) {
		for i := range *faultSites {
			n := (*kills + *faultSites - 1 - i) / *faultSites
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				if n > 0 {
					newSite(t, *soakRoutes).soak(n, rand.New(rand.NewPCG(*seed, uint64(i))), done)
				}
			})
		}
	})
	if slices.Sort(took); len(took) > 0 {
		at := func(part int) time.Duration { return took[(len(took)-1)*part/100].Round(10 * time.Millisecond) }
		fmt.Printf("soak: %d kills of %d vbrds with %d routes each, seed %d: until all is right again: least %v, median %v, 90 %% %v, 99 %% %v, most %v\n",
			len(took), *faultSites, *soakRoutes, *seed, at(0), at(50), at(90), at(99), at(100))
	}
}

// soak kills vbrd n times.
func (s *site) soak(n int, r *rand.Rand, done func(time.Duration)) {
	s.startVPC()
	s.customer(0)
	s.launch("")
	s.mustApply("intent.yaml", wanted(0), "--prune")
	within(s.t, soakPatience, "intent 0", func() error { return s.right(0) })
	s.watchRoute("172.16.1.9")
	is := 0
	for kill := range n {
		l := s.load(is)
		time.Sleep(time.Duration(r.Int64N(int64(soakStep))))
		if err := s.daemon.end(syscall.SIGKILL); err != nil {
			s.t.Fatal(err)
		}
		l.stop()
		began := time.Now()
		s.launch("")
		is = s.stored(l.acknowledged, l.tried)
		s.customer(is)
		within(s.t, soakPatience, fmt.Sprintf("kill %d: all is right with intent %d", kill+1, is), func() error { return s.right(is) })
		done(time.Since(began))
		if lost := s.lost.take(); len(lost) > 0 {
			s.t.Fatalf("kill %d: 172.16.1.0/24 was away: %q", kill+1, lost)
		}
	}
}

// load is what goes on while vbrd is killed.
type load struct {
	s            *site
	end          chan struct{}
	ended        chan struct{}
	acknowledged int // the newest intent that was
	tried        int // the newest that was applied at all
}

// load applies intents after n one after the other, with the customer's routes going and coming, until it is stopped.
func (s *site) load(n int) *load {
	l := &load{s, make(chan struct{}), make(chan struct{}), n, n}
	go func() {
		defer close(l.ended)
		defer func() { _, _ = s.birdc(2, "enable wan") }()
		for {
			select {
			case <-l.end:
				return
			default:
			}
			l.tried = l.acknowledged + 1
			_, _ = s.birdc(2, []string{"disable wan", "enable wan"}[l.tried%2])
			if err := s.apply("intent.yaml", wanted(l.tried), "--prune"); err == nil {
				l.acknowledged = l.tried
			}
		}
	}()
	return l
}

// stop ends it, and makes its numbers readable.
func (l *load) stop() {
	l.s.t.Helper()
	close(l.end)
	select {
	case <-l.ended:
	case <-time.After(patience):
		l.s.t.Fatal("an apply does not end")
	}
}

// stored is the intent that a vbrd has stored: the acknowledged one, or the one that was tried after it.
func (s *site) stored(acknowledged, tried int) int {
	s.t.Helper()
	is := -1
	for _, r := range s.resources() {
		if v := r.GetVirtualBorderRouter(); v != nil {
			_, _ = fmt.Sscanf(strings.TrimPrefix(v.Description, "intent "), "%d", &is)
		}
	}
	if is != acknowledged && is != tried {
		s.t.Fatalf("intent %d is stored; acknowledged was %d, tried %d", is, acknowledged, tried)
	}
	return is
}
