package rib

import (
	"fmt"
	"net/netip"
)

// Step is a step of the decision between accepted paths. Steps are taken in this order; each lets the best of those go on that
// the one before left.
type Step uint8

// The steps. Those up to StepExternal leave the equal-cost set; the others order it, and cut it at MaxPaths.
const (
	StepKind      Step = iota + 1 // of the source: see Kind
	StepLongLived                 // see HoldLong
	StepDemoted                   // see Demote
	StepAdopted                   // neighbours' paths before what was found in the kernel at start
	StepPriority                  // of static routes: lower
	StepLocalPref                 // higher LOCAL_PREF
	StepASPath                    // shorter AS_PATH
	StepOrigin                    // lower ORIGIN
	StepMED                       // lower MULTI_EXIT_DISC of the same neighbouring AS
	StepExternal                  // eBGP before iBGP
	StepRouterID                  // lower BGP identifier
	StepAddress                   // lower peer address
	StepName                      // of the source, by the alphabet
	StepPathID                    // lower path id
	StepNextHop                   // lower address
)

// Loss is why a path is not in the equal-cost set.
type Loss struct {
	Step Step
	// To is the source of a path that it lost to.
	To string
	// Value and Than are what was compared: of the path, and of the one it lost to.
	Value, Than string
}

// String is the loss in words: "AS path of 3 against 2 (RFC 4271 9.1.2.2 a)".
func (l Loss) String() string {
	t := stepTexts[l.Step]
	return fmt.Sprintf("%s %s against %s (%s)", t.what, l.Value, l.Than, t.rule)
}

// stepTexts name what a step compares, and the rule that has it compared.
var stepTexts = [...]struct{ what, rule string }{
	StepKind:      {"source", "connected, then static, then router interfaces, then BGP"},
	StepAdopted:   {"source", "what was found in the kernel at start loses to all neighbours"},
	StepLongLived: {"route", "one that is stale for long loses to all others of its kind, RFC 9494 4.3"},
	StepDemoted:   {"source", "one that steps back, because its health check fails, loses to all others of its kind"},
	StepPriority:  {"priority", "lower, of static routes"},
	StepLocalPref: {"LOCAL_PREF", "higher, RFC 4271 9.1.1"},
	StepASPath:    {"AS path of", "shorter, RFC 4271 9.1.2.2 a"},
	StepOrigin:    {"origin", "igp, then egp, then incomplete, RFC 4271 9.1.2.2 b"},
	StepMED:       {"MED", "lower from the same AS, RFC 4271 9.1.2.2 c"},
	StepExternal:  {"session", "eBGP before iBGP, RFC 4271 9.1.2.2 d"},
	StepRouterID:  {"BGP identifier", "lower, RFC 4271 9.1.2.2 f"},
	StepAddress:   {"peer address", "lower, RFC 4271 9.1.2.2 g"},
	StepName:      {"source", "by the alphabet"},
	StepPathID:    {"path id", "lower"},
	StepNextHop:   {"next hop", "lower"},
}

// value is what a step compares of a candidate.
func (s Step) value(c candidate) string {
	a, src := &c.attrs.Attrs, c.attrs.source
	switch s {
	case StepKind:
		return src.Kind.String()
	case StepAdopted:
		return named(src.Adopted, "found in the kernel", "neighbour")
	case StepLongLived:
		return named(c.attrs.last, "stale for long", "fresh")
	case StepDemoted:
		return named(src.demoted, "stepped back", "in good standing")
	case StepPriority:
		return fmt.Sprint(a.Priority)
	case StepLocalPref:
		return fmt.Sprint(c.localPref())
	case StepASPath:
		return fmt.Sprint(a.Length())
	case StepOrigin:
		return OriginName(a.Origin)
	case StepMED:
		return fmt.Sprint(a.MED)
	case StepExternal:
		return named(src.Internal, "iBGP", "eBGP")
	case StepRouterID:
		return addrText(src.RouterID)
	case StepAddress:
		return addrText(src.Address)
	case StepName:
		return src.Name
	case StepPathID:
		return fmt.Sprint(c.id)
	case StepNextHop:
		return addrText(a.NextHop)
	}
	return ""
}

func named(b bool, yes, no string) string {
	if b {
		return yes
	}
	return no
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return "none"
	}
	return a.String()
}

// OriginName is an ORIGIN as operators see it.
func OriginName(o uint8) string {
	switch o {
	case OriginIGP:
		return "igp"
	case OriginEGP:
		return "egp"
	}
	return "incomplete"
}

// losses collects why candidates are not in the equal-cost set; nil collects nothing.
type losses map[candidate]Loss

// note takes in that a step eliminated paths.
func (l losses) note(s Step, left, eliminated []candidate) {
	if l == nil {
		return
	}
	for _, c := range eliminated {
		to := left[0]
		if s == StepMED {
			to = sameASLowest(c, left)
		}
		l[c] = Loss{Step: s, To: to.attrs.source.Name, Value: s.value(c), Than: s.value(to)}
	}
}

// sameASLowest is which of the paths that MED left beat c. The lowest of each neighbouring AS is left.
func sameASLowest(c candidate, left []candidate) candidate {
	for _, o := range left {
		if o.attrs.NeighborAS() == c.attrs.NeighborAS() {
			return o
		}
	}
	return left[0]
}
