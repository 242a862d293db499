package vbr

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/openvbr/openvbr/bgp"
	"github.com/openvbr/openvbr/bgp/evpn"
)

// unsaid is what neighbours could not be told and are to be told again: of each prefix the newest word. It belongs to the actor's goroutine.
type unsaid struct {
	customer forCustomer
	far      outbox
	at       time.Time // of the last try
}

// speak tells neighbours what is for them, and what they could not be told before. Without a speaker the customer's part waits for one.
func (r *router) speak(speaker speaker, c forCustomer, out outbox) {
	c.after(r.unsaid.customer)
	out.after(r.unsaid.far)
	var err error
	if speaker != nil {
		c, err = c.send(speaker)
	}
	out, errFar := out.send()
	r.unsaid = unsaid{c, out, time.Now()}
	r.unsaidCount.Store(int64(r.unsaid.size()))
	r.degrade("announce", errors.Join(err, errFar))
}

// speakIfAny has far ends hear what is for them, if anything is.
func (r *router) speakIfAny(out outbox) {
	if len(out) > 0 {
		r.speak(r.speaker, forCustomer{}, out)
	}
}

// speakAgain tries what could not be told, once a second.
func (r *router) speakAgain(speaker speaker) {
	u := &r.unsaid
	if len(u.customer)+len(u.far) > 0 && time.Since(u.at) >= firstRetry {
		r.speak(speaker, forCustomer{}, outbox{})
	}
}

// deliverCalls is how often deliver asks at most: one that is refused among 10,000 costs some 28 calls, and when all are, the actor goes on soon.
const deliverCalls = 512

// deliver hands a list over, and if that fails its halves, and theirs, so that one that is refused keeps no other back. left are the refused ones, behind
// those that were not tried alone within deliverCalls: when left is handed over again they come first, so that each has its turn.
func deliver[T any](list []T, do func([]T) error) (left []T, err error) {
	var refused []T
	todo := [][]T{list} // the next one is last
	for calls := 0; len(todo) > 0 && calls < deliverCalls; calls++ {
		now := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if len(now) == 0 {
			continue
		}
		why := do(now)
		if why == nil {
			continue
		}
		if err = why; len(now) == 1 {
			refused = append(refused, now[0])
			continue
		}
		todo = append(todo, now[len(now)/2:], now[:len(now)/2])
	}
	slices.Reverse(todo)
	if left = slices.Concat(append(todo, refused)...); len(left) == 0 {
		return nil, nil
	}
	return left, fmt.Errorf("%d changes are not told yet, the last of them: %w", len(left), err)
}

// send hands the customer's speaker what is for it, and returns what it did not take.
func (c forCustomer) send(speaker speaker) (left forCustomer, err error) {
	left = make(forCustomer)
	var errs []error
	for table, t := range c {
		back, errBack := deliver(t.back, func(back []netip.Prefix) error { return speaker.Withdraw(table, back) })
		ads, errAds := deliver(t.ads, func(ads []bgp.Advertisement) error { return speaker.Advertise(table, ads) })
		if len(back)+len(ads) > 0 {
			left[table] = &forTable{ads, back}
		}
		errs = append(errs, errBack, errAds)
	}
	return left, errors.Join(errs...)
}

// after puts what was not said before in front, but for prefixes of which there is news.
func (c forCustomer) after(old forCustomer) {
	for table, was := range old {
		t := c.to(table)
		news := make(map[netip.Prefix]bool)
		for i := range t.ads {
			news[t.ads[i].Prefix] = true
		}
		for _, p := range t.back {
			news[p] = true
		}
		t.back = slices.Concat(slices.DeleteFunc(was.back, func(p netip.Prefix) bool { return news[p] }), t.back)
		t.ads = slices.Concat(slices.DeleteFunc(was.ads, func(ad bgp.Advertisement) bool { return news[ad.Prefix] }), t.ads)
	}
}

// send hands the far ends what is for them, and returns what they did not take.
func (o outbox) send() (left outbox, err error) {
	left = make(outbox)
	var errs []error
	for far, l := range o {
		lost, errLost := deliver(l.lost, func(lost []evpn.Key) error { return far.export(nil, lost) })
		gained, errGained := deliver(l.gained, func(gained []evpn.Route) error { return far.export(gained, nil) })
		if len(lost)+len(gained) > 0 {
			left[far] = &letters{gained, lost}
		}
		errs = append(errs, errLost, errGained)
	}
	return left, errors.Join(errs...)
}

// after is as with forCustomer.
func (o outbox) after(old outbox) {
	for far, was := range old {
		l := o.to(far)
		news := make(map[evpn.Key]bool)
		for i := range l.gained {
			news[l.gained[i].Key] = true
		}
		for _, k := range l.lost {
			news[k] = true
		}
		l.lost = slices.Concat(slices.DeleteFunc(was.lost, func(k evpn.Key) bool { return news[k] }), l.lost)
		l.gained = slices.Concat(slices.DeleteFunc(was.gained, func(x evpn.Route) bool { return news[x.Key] }), l.gained)
	}
}
