package vbr

import (
	"errors"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openvbr/openvbr/bgp"
	"github.com/openvbr/openvbr/bgp/evpn"
)

// A list that is refused is handed over one by one, and what is refused then is left; a list that is taken costs one call.
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
	old := forCustomer{ads: []bgp.Advertisement{{Prefix: p("10.1.0.0/16")}, {Prefix: p("10.2.0.0/16")}}, back: []netip.Prefix{p("10.3.0.0/16"), p("10.4.0.0/16")}}
	c := forCustomer{ads: []bgp.Advertisement{{Prefix: p("10.3.0.0/16")}}, back: []netip.Prefix{p("10.1.0.0/16")}}
	c.after(old)
	if got := []netip.Prefix{c.ads[0].Prefix, c.ads[1].Prefix}; len(c.ads) != 2 || got[0] != p("10.2.0.0/16") || got[1] != p("10.3.0.0/16") {
		t.Errorf("announced: %v", c.ads)
	}
	if !slices.Equal(c.back, []netip.Prefix{p("10.4.0.0/16"), p("10.1.0.0/16")}) {
		t.Errorf("taken back: %v", c.back)
	}
}
