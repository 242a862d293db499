package vbr

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// historyOf is a prefix's history in words, repetitions left out, and its flaps.
func historyOf(h *Host, router, prefix string) (string, uint32, error) {
	answer, err := h.PrefixHistory(router, prefix)
	if err != nil {
		return "", 0, err
	}
	var out []string
	for _, e := range answer.GetEvents() {
		out = append(out, strings.TrimSpace(strings.ToLower(strings.TrimPrefix(e.GetType().String(), "TYPE_"))+" "+e.GetSource()+" "+e.GetDetail()))
	}
	return strings.Join(slices.Compact(out), ", "), answer.GetFlaps(), nil
}

// A prefix's way from peer to kernel to VPC and back is in its history.
func TestPrefixHistory(t *testing.T) {
	o := newObserved(t)
	o.up("10.0.0.2")
	const prefix = "172.20.0.0/16"
	wait := func() {
		time.Sleep(window)
		o.flush(t.Context(), mute{})
	}
	o.say("10.0.0.2", prefix, 65001)
	wait()
	o.unsay("10.0.0.2", prefix)
	wait()
	o.say("10.0.0.2", prefix, 65001)
	wait()
	got, flaps, err := historyOf(o.host, "vbr-acme", prefix)
	there := "announced 10.0.0.2 accepted, installed 10.0.0.2, exported ri-acme"
	if want := there + ", withdrawn 10.0.0.2 withdrawn, removed, unexported ri-acme, " + there; got != want || flaps != 1 || err != nil {
		t.Errorf("%s, %d flaps, %v\nwant %s", got, flaps, err, want)
	}
	for _, bad := range []string{"172.20.0.1", "x", "::ffff:1.2.3.0/120", ""} {
		if _, err := o.host.PrefixHistory("vbr-acme", bad); err == nil || !errors.As(err, new(*RequestError)) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := o.host.PrefixHistory("nobody", prefix); !errors.Is(err, ErrNoRouter) {
		t.Errorf("nobody: %v", err)
	}
}

// A customer's BIRD announces, withdraws and announces again, and the real kernel takes and lets go.
func TestPrefixHistoryWithBIRD(t *testing.T) {
	s := newSite(t)
	run(t, "ip link set port0 up")
	s.serve()
	s.wantOurs(20*time.Second, "172.16.1.0/24", "172.16.2.0/24", "2001:db8:1::/64")
	run(t, "birdc -s "+s.ctl+" disable more4")
	s.wantOurs(10*time.Second, "172.16.1.0/24", "2001:db8:1::/64")
	run(t, "birdc -s "+s.ctl+" enable more4")
	s.wantOurs(10*time.Second, "172.16.1.0/24", "172.16.2.0/24", "2001:db8:1::/64")
	const there = "announced 10.0.0.2 accepted, installed 10.0.0.2"
	for prefix, want := range map[string]string{
		"172.16.2.0/24":   there + ", withdrawn 10.0.0.2 withdrawn, removed, " + there,
		"2001:db8:1::/64": strings.ReplaceAll(there, "10.0.0.2", "fd00::2"),
		"169.254.1.0/24":  "announced 10.0.0.2 martian",
		"172.16.3.0/24":   "",
	} {
		eventually(t, 5*time.Second, "history of "+prefix, func() error {
			got, flaps, err := historyOf(s.host, "vbr-acme", prefix)
			if err == nil && (got != want || flaps != uint32(strings.Count(want, "withdrawn 10.0.0.2"))) {
				err = fmt.Errorf("%q, %d flaps; want %q", got, flaps, want)
			}
			return err
		})
	}
	run(t, "ip link set port0 down")
	s.wantLog(5*time.Second, "event=failover.line-down router=vbr-acme subject=port0")
	run(t, "ip link set port0 up")
	s.wantLog(15*time.Second, "event=failover.line-up router=vbr-acme subject=port0")
	all, _ := s.host.events.After(0, 0)
	if !slices.ContainsFunc(all, func(e *vbrv1.Event) bool {
		return e.GetId() == "session.up" && e.GetSubject() == netip.MustParseAddr("10.0.0.2").String()
	}) {
		t.Errorf("no session.up among %v", all)
	}
}
