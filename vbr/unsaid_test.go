package vbr

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openvbr/openvbr/bgp"
	"github.com/openvbr/openvbr/bgp/evpn"
)

// A list that is refused is handed over in halves, and what is refused alone is left; a list that is taken costs one call.
func TestDeliver(t *testing.T) {
	var got []string
	calls := 0
	do := func(bad string) func([]string) error {
		return func(list []string) error {
			calls++
			if slices.Contains(list, bad) {
				return errors.New("bad")
			}
			got = append(got, list...)
			return nil
		}
	}
	if left, err := deliver([]string{"a", "b", "c"}, do("")); len(left) > 0 || err != nil || calls != 1 || len(got) != 3 {
		t.Errorf("%q, %v, %d calls, %q", left, err, calls, got)
	}
	got = nil
	if left, err := deliver([]string{"a", "b", "c"}, do("b")); !slices.Equal(left, []string{"b"}) || err == nil || !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("%q, %v, %q", left, err, got)
	}
}

// Of 10,000 changes few that are refused cost few calls, and many a bounded number; what is not refused is told in the end, whatever is around it.
func TestDeliverIsBounded(t *testing.T) {
	const n = 10000
	for _, tt := range []struct {
		name       string
		bad        func(i int) bool
		bads, runs int
		calls      int // of the first run, at most
	}{
		{"none", func(int) bool { return false }, 0, 1, 1},
		{"one", func(i int) bool { return i == 4711 }, 1, 1, 29},
		{"twenty", func(i int) bool { return i%500 == 7 }, 20, 1, 500},
		{"the first thousand", func(i int) bool { return i < 1000 }, 1000, 5, deliverCalls},
		{"every other one", func(i int) bool { return i%2 == 0 }, n / 2, n/256 + 1, deliverCalls},
		{"all", func(int) bool { return true }, n, 1, deliverCalls},
	} {
		list := make([]int, n)
		for i := range list {
			list[i] = i
		}
		got := make(map[int]bool)
		for run := range tt.runs {
			calls, began := 0, time.Now()
			var err error
			list, err = deliver(list, func(l []int) error {
				if calls++; slices.ContainsFunc(l, tt.bad) {
					return errors.New("bad")
				}
				for _, i := range l {
					got[i] = true
				}
				return nil
			})
			if (err != nil) != (len(list) > 0) {
				t.Errorf("%s: %d are left, and the error is %v", tt.name, len(list), err)
			}
			if run == 0 {
				t.Logf("%s: %d calls, %v, %d are left", tt.name, calls, time.Since(began), len(list))
			}
			if most := map[bool]int{true: tt.calls, false: deliverCalls}[run == 0]; calls > most {
				t.Errorf("%s: %d calls in run %d, want %d at most", tt.name, calls, run, most)
			}
		}
		if len(list) != tt.bads || len(got) != n-tt.bads || !all(list, tt.bad) {
			t.Errorf("%s: %d told, %d left after %d runs; want %d left, those that are refused", tt.name, len(got), len(list), tt.runs, tt.bads)
		}
	}
}

func all(list []int, is func(int) bool) bool {
	return !slices.ContainsFunc(list, func(i int) bool { return !is(i) })
}

// lister is a far end that refuses, as long as it is to.
type lister struct {
	refuses bool
	got     []string
}

func (l *lister) export(gained []evpn.Route, lost []evpn.Key) error {
	if l.refuses {
		return errors.New("refused")
	}
	for _, k := range lost {
		l.got = append(l.got, "-"+k.Prefix.String())
	}
	for i := range gained {
		l.got = append(l.got, "+"+gained[i].Prefix.String())
	}
	return nil
}

// What a far end did not take comes again, unless there is news of the same prefix.
func TestOutboxKeepsWhatWasRefused(t *testing.T) {
	key := func(p string) evpn.Key { return evpn.Key{Prefix: netip.MustParsePrefix(p)} }
	far := &lister{refuses: true}
	first := make(outbox)
	for _, p := range []string{"10.1.0.0/16", "10.2.0.0/16"} {
		first.tell(far, evpn.Route{Key: key(p)})
		first.takeBack(far, key("172"+p[2:]))
	}
	left, err := first.send()
	if err == nil {
		t.Fatal("no error")
	}
	second := make(outbox)
	second.takeBack(far, key("10.1.0.0/16"))
	second.tell(far, evpn.Route{Key: key("172.2.0.0/16")})
	second.after(left)
	far.refuses = false
	if left, err = second.send(); len(left) > 0 || err != nil {
		t.Errorf("%v, %v", left, err)
	}
	if diff := cmp.Diff([]string{"-172.1.0.0/16", "-10.1.0.0/16", "+10.2.0.0/16", "+172.2.0.0/16"}, far.got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The same for the customer.
func TestCustomerKeepsWhatWasNotSaid(t *testing.T) {
	p := netip.MustParsePrefix
	old := forCustomer{"": {ads: []bgp.Advertisement{{Prefix: p("10.1.0.0/16")}, {Prefix: p("10.2.0.0/16")}}, back: []netip.Prefix{p("10.3.0.0/16"), p("10.4.0.0/16")}}}
	old["other"] = &forTable{back: []netip.Prefix{p("10.1.0.0/16")}}
	all := forCustomer{"": {ads: []bgp.Advertisement{{Prefix: p("10.3.0.0/16")}}, back: []netip.Prefix{p("10.1.0.0/16")}}}
	all.after(old)
	if o := all["other"]; len(all) != 2 || len(o.ads) != 0 || !slices.Equal(o.back, []netip.Prefix{p("10.1.0.0/16")}) {
		t.Errorf("of another table: %+v", o)
	}
	c := all[""]
	if got := []netip.Prefix{c.ads[0].Prefix, c.ads[1].Prefix}; len(c.ads) != 2 || got[0] != p("10.2.0.0/16") || got[1] != p("10.3.0.0/16") {
		t.Errorf("announced: %v", c.ads)
	}
	if !slices.Equal(c.back, []netip.Prefix{p("10.4.0.0/16"), p("10.1.0.0/16")}) {
		t.Errorf("taken back: %v", c.back)
	}
}
