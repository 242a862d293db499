// Package tried says which test tries which fault points, so that none is left out by all.
package tried

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openvbr/openvbr/internal/fault"
)

// Acts are what each point is tried with.
var Acts = []string{"kill", "error", "delay"}

// Devices are the effects of internal/e2e, TestFaultsOfDevices: what needs VRFs, and --cleanup. Those of devices are tried on both sides.
var Devices = []string{"link.add", "link.delete", "link.set", "link.address", "link.sysctl", "link.route", "link.neighbour", "link.rate", "link.rule", "fib.cleanup"}

// Admin are the effects of internal/e2e/admin, TestFaults.
var Admin = []string{
	"store.commit", "store.chunk", "store.cache",
	"state.ids", "state.drain", "state.tests", "state.measured", "state.mark",
	"fib.routes", "fib.nexthop", "fib.groups",
	"link.add", "link.delete", "link.set", "link.address", "link.sysctl", "link.neighbour",
	"speaker.start", "session.stop", "session.peers", "session.advertise", "session.withdraw",
	"session.reset", "session.refresh", "session.tell",
	"evpn.stop", "evpn.peers", "evpn.export", "evpn.withdraw",
	"api.call",
}

// Senseless are the cases that no test has, and why.
var Senseless = map[string]string{
	"session.stop.before=error": "a speaker that is not closed goes on",
	"evpn.stop.before=error":    "a speaker that is not closed goes on",
}

// Missing are the cases EFFECT.WHEN=ACT that a test of these effects should try and does not. What it tries may have more behind the act: "kill@3", "delay:300ms@1-3".
func Missing(effects, cases []string) (list []string) {
	for _, effect := range effects {
		for _, when := range []string{"before", "after"} {
			for _, act := range Acts {
				c := fmt.Sprintf("%s.%s=%s", effect, when, act)
				if Senseless[c] == "" && !slices.ContainsFunc(cases, func(t string) bool { return Case(t) == c }) {
					list = append(list, c)
				}
			}
		}
	}
	return list
}

// Case is what a test tries without how long and at which pass.
func Case(c string) string {
	if i := strings.IndexAny(c, ":@"); i >= 0 {
		return c[:i]
	}
	return c
}

// Nowhere are the effects that no matrix has, and those of a matrix that are none.
func Nowhere() (list []string) {
	all := slices.Concat(Devices, Admin)
	for _, e := range fault.Effects {
		if !slices.Contains(all, e) {
			list = append(list, e)
		}
	}
	for _, e := range all {
		if !slices.Contains(fault.Effects, e) {
			list = append(list, e+", which is no effect")
		}
	}
	return list
}
