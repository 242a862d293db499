package vbr

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/events"
	"github.com/openvbr/openvbr/vbr/intent"
)

// recordOf brings about an event.
func recordOf(s vbrState, e vbrEvent) *vbrRecord {
	x := &vbrRecord{state: s, wanted: vbrActive}
	switch e {
	case evTerminated:
		x.wanted, x.left = vbrTerminated, "its routes go"
	case evTerminatedClean:
		x.wanted = vbrTerminated
	case evUnconfirmed:
		x.wanted = vbrUnconfirmed
	case evRuns:
		x.runs = true
	}
	return x
}

// Every state of a VBR meets every event: what follows is what docs/states.md says.
func TestVBRTransitions(t *testing.T) {
	rows := documented(t, vbrEvents)
	for e := range vbrEvents {
		for s := range vbrStates {
			if got, why := recordOf(s, e).event(); got != e || (why == "") != (e == evRuns) {
				t.Errorf("%s is %s, %q", e, got, why)
			}
			if got := vbrTransitions[s][e].String(); rows[s.String()] == nil || got != rows[s.String()][e] {
				t.Errorf("%s, %s: %s, docs/states.md has %v", s, e, got, rows[s.String()])
			}
		}
	}
}

// Whatever happens, settling ends; nothing is terminated of which something is left, none gets from active to terminated or back without the state between.
func TestVBRSettleProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		x := recordOf(vbrState(rapid.IntRange(0, int(vbrStates)-1).Draw(rt, "state")), evWanted)
		for range rapid.IntRange(1, 20).Draw(rt, "turns") {
			x.wanted = rapid.SampledFrom([]vbrState{vbrActive, vbrTerminated, vbrUnconfirmed}).Draw(rt, "wanted")
			x.left, x.runs = rapid.SampledFrom([]string{"", "routes"}).Draw(rt, "left"), rapid.Bool().Draw(rt, "runs")
			was := x.state
			passed := x.settle()
			for _, s := range passed {
				between := map[vbrState]vbrState{vbrTerminated: vbrTerminating, vbrActive: vbrRecovering}[s]
				if s == vbrTerminated && was != between || s == vbrActive && was != between && was != vbrUnconfirmed {
					rt.Fatalf("%s after %s", s, was)
				}
				was = s
			}
			if len(passed) > 2 || x.settle() != nil {
				rt.Fatalf("no rest after %v", passed)
			}
			if x.state == vbrTerminated && (x.left != "" || x.wanted != vbrTerminated) || x.state == vbrActive && x.wanted != vbrActive {
				rt.Fatalf("%s: %+v", x.state, x)
			}
		}
	})
}

// The way of a VBR that another account owns, as events and API tell it.
func TestLifeOfAVBR(t *testing.T) {
	h := newFakeRouter(t).router.host
	h.events, h.routers = events.NewLog(100), make(map[string]*router)
	at := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	want := func(r intent.Router) {
		r.Kind, r.Name, r.Owner = intent.VBR, "vbr-x", "acme"
		h.want(&intent.Intent{Routers: []intent.Router{r, {Kind: intent.VRouter, Name: "vpc-x"}}})
	}
	no, yes := false, true
	want(intent.Router{Confirmed: &no})
	want(intent.Router{Confirmed: &yes})
	h.vbrRuns("vbr-x")
	h.vbrRuns("vpc-x") // is none
	h.vbrLeft("vbr-x", "its sessions, devices and routes go")
	want(intent.Router{Confirmed: &yes, Terminated: at})
	status := func() string {
		s := &vbrv1.RouterStatus{Name: "vbr-x"}
		h.vbrs.fill(s)
		return fmt.Sprint(s.GetVbrStatus(), ", ", s.GetVbrStatusReason(), ", ", s.GetVlanHeldUntil() != nil && s.GetVlanHeldUntil().AsTime().Equal(at.Add(intent.VLANHold)))
	}
	if got := status(); got != "terminating, its sessions, devices and routes go, true" {
		t.Error(got)
	}
	h.vbrLeft("vbr-x", "the kernel still has something of it: "+errors.ErrUnsupported.Error())
	if got := status(); got != "terminating, the kernel still has something of it: unsupported operation, true" {
		t.Error(got)
	}
	h.vbrLeft("vbr-x", "")
	if got := status(); got != "terminated, its VLAN is kept for it until 2026-02-07T12:00:00Z, true" {
		t.Error(got)
	}
	want(intent.Router{})
	if got := status(); got != "recovering, its devices and sessions are about to come, false" {
		t.Error(got)
	}
	h.vbrRuns("vbr-x")
	if got := status(); got != "active, , false" {
		t.Error(got)
	}
	h.vbrLeft("vbr-x", "it begins anew") // is still active
	var texts []string
	all, _ := h.events.After(0, 1000)
	for _, e := range all {
		if e.GetType() != vbrv1.Event_TYPE_VBR_STATUS || e.GetRouter() != "vbr-x" || e.GetOwner() != "acme" {
			t.Errorf("%v", e)
		}
		texts = append(texts, e.GetText())
	}
	if diff := cmp.Diff([]string{
		"active, was unconfirmed: its devices and sessions are about to come",
		"terminating, was active: its sessions, devices and routes go",
		"terminated, was terminating: its VLAN is kept for it until 2026-02-07T12:00:00Z",
		"recovering, was terminated: its devices and sessions are about to come",
		"active, was recovering",
	}, texts); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	h.want(&intent.Intent{})
	if len(h.vbrs.vbrs) != 0 {
		t.Errorf("not forgotten: %v", h.vbrs.vbrs)
	}
}

// A host that runs a VBR tells of its end and of its return, and the kernel has nothing of it in between.
func TestApplyTerminate(t *testing.T) {
	r := newRunning(t)
	status := func() string { return r.host.RouterStatus(r.in.Routers[0].Name).GetVbrStatus() }
	with := func(at time.Time) *intent.Intent {
		in := r.edited()
		in.Routers[0].Terminated = at
		return in
	}
	if got := status(); got != "active" {
		t.Fatal(got)
	}
	apply := func(in *intent.Intent, want string) {
		if err := r.host.Apply(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(20 * time.Second); status() != want; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s, want %s", status(), want)
			}
		}
	}
	apply(with(time.Now()), "terminated")
	r.wantOurs(0)
	apply(with(time.Time{}), "active")
	r.wantOurs(20*time.Second, "172.16.1.0/24", "172.16.2.0/24", "2001:db8:1::/64")
	var texts []string
	all, _ := r.host.events.After(0, 1000)
	for _, e := range all {
		if e.GetType() == vbrv1.Event_TYPE_VBR_STATUS {
			texts = append(texts, strings.SplitN(e.GetText(), ":", 2)[0])
		}
	}
	if want := []string{"terminating, was active", "terminated, was terminating", "recovering, was terminated", "active, was recovering"}; !slices.Equal(texts, want) {
		t.Errorf("events %q, want %q", texts, want)
	}
}
