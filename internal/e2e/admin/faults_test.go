package admin

import (
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/openvbr/openvbr/internal/fault/tried"
)

// few are those that are tried with all other tests: what once went wrong, and one of each kind.
const few = "state.drain.after=error|store.commit.after=kill|fib.routes.after=error|link.delete.before=error|evpn.withdraw.before=error|state.ids.before=error"

var (
	faultMatrix = flag.String("faults", few, "which of the matrix of faults: a regular expression")
	faultSites  = flag.Int("sites", 5, "how many edges share the matrix of faults")
)

// faultCase is a fault at a point.
type faultCase struct {
	effect, when, act string
}

func (c faultCase) String() string { return c.effect + "." + c.when + "=" + c.act }

// cases are all points with all acts.
func cases() (list []faultCase) {
	for _, effect := range tried.Admin {
		acts := []string{"kill", "error@1-3", "delay:300ms@1-3"}
		switch effect {
		case "fib.nexthop":
			acts[1], acts[2] = "error@1-9", "delay:300ms@1-9" // a few are tried again within one call
		case "store.chunk":
			acts = append(acts, "kill@2") // between two chunks of a revision
		}
		for _, when := range []string{"before", "after"} {
			for _, act := range acts {
				if c := (faultCase{effect, when, act}); tried.Senseless[tried.Case(c.String())] == "" {
					list = append(list, c)
				}
			}
		}
	}
	return list
}

// Each point with each act, while vbrd starts, takes a change, and ends; those of special, while that happens in which they are passed.
func TestFaults(t *testing.T) {
	which := regexp.MustCompile(*faultMatrix)
	var all []string
	var list []faultCase
	apart := map[string][]faultCase{}
	for _, c := range cases() {
		all = append(all, c.String())
		_, own := special[c.effect]
		switch {
		case !which.MatchString(c.String()):
		case own:
			apart[c.effect] = append(apart[c.effect], c)
		default:
			list = append(list, c)
		}
	}
	if missing := tried.Missing(tried.Admin, all); len(missing) > 0 {
		t.Errorf("not tried: %q", missing)
	}
	if len(list)+len(apart) == 0 {
		t.Fatalf("-faults %s is none", *faultMatrix)
	}
	for i := range min(*faultSites, len(list)) {
		var some []faultCase
		for j := i; j < len(list); j += *faultSites {
			some = append(some, list[j])
		}
		t.Run(fmt.Sprint("site ", i), func(t *testing.T) {
			t.Parallel()
			sufferAll(t, some, newFaultSite, func(s *site, c faultCase, n int) int {
				if _, ok := records[c.effect]; ok {
					s.suffersCommand(c)
					return n
				}
				s.suffers(c, n+1)
				return n + 1
			})
		})
	}
	for effect, some := range apart {
		t.Run("site of "+effect, func(t *testing.T) {
			t.Parallel()
			sufferAll(t, some, special[effect].site, special[effect].suffers)
		})
	}
}

// sufferAll tries faults one after another on a site, and after one that went wrong on another. suffers gets the number of the intent that is there, and
// returns that of the intent it leaves.
func sufferAll(t *testing.T, list []faultCase, make func(*testing.T) *site, suffers func(*site, faultCase, int) int) {
	var s *site
	n := 0
	for _, c := range list {
		if s == nil {
			s, n = make(t), 0
		}
		if !t.Run(c.String(), func(t *testing.T) { n = suffers(s.in(t), c, n) }) {
			s = nil // the next has one that is right
		}
	}
}

// newFaultSite is one where intent 0 has been taken and vbrd has ended.
func newFaultSite(t *testing.T) *site { return newSite(t, 0).began() }

func (s *site) began() *site {
	t := s.t
	s.startVPC()
	s.customer(0)
	s.launch("")
	s.mustApply("intent.yaml", s.wanted(0), "--prune")
	eventually(t, "intent 0", func() error { return s.right(0) })
	s.watchRoute("172.16.1.9")
	if err := s.daemon.end(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	return s
}

// in is the site for a part of the test.
func (s *site) in(t *testing.T) *site {
	part := *s
	e := *s.edge
	part.edge = &e
	part.t = t
	return &part
}

// suffers starts vbrd with the fault, applies intent n and ends vbrd. If it dies on the way it is started again; what was not acknowledged is
// applied again. In the end all is as n wants it.
func (s *site) suffers(c faultCase, n int) {
	began := s.log.len()
	text := s.wanted(n)
	s.launch(c.String())
	s.customer(n)
	err := s.apply("intent.yaml", text, "--prune")
	s.log.t = s.t
	for try := 0; err != nil && s.daemon.alive() && try < 5; try++ {
		s.t.Logf("vbrctl: %.300v", err)
		err = s.apply("intent.yaml", text, "--prune")
	}
	died := !s.daemon.alive()
	if !died {
		s.settles(n)
		shown := s.shows()
		died = !s.daemon.alive()
		if err := s.daemon.end(syscall.SIGTERM); err != nil {
			s.t.Error(err)
		}
		if strings.HasPrefix(c.act, "error") && !shown && !strings.Contains(s.log.since(began), `injected fault`) {
			s.t.Error("the error is reported nowhere")
		}
	}
	log := s.log.since(began)
	if !strings.Contains(log, fmt.Sprintf("fault: %s.%s: ", c.effect, c.when)) {
		s.t.Error("the point was not reached")
	}
	if died {
		if c.act != "kill" {
			s.t.Logf("vbrd has ended: %.500s", log[strings.LastIndex(strings.TrimSpace(log), "\n")+1:])
		}
		s.resurrect(n, err == nil)
	}
	if lost := s.lost.take(); len(lost) > 0 {
		s.t.Errorf("172.16.1.0/24 was away: %v", lost)
	}
}

// records are the files of the state folder that a command changes: the command, what shows that it has, and how it is taken back, behind which comes what
// shown has found.
var records = map[string]struct {
	do, look string
	shown    *regexp.Regexp
	undo     string
}{
	"state.drain": {"drain vbr-acme", "show routers -o json", regexp.MustCompile(`"drained":\s*true()`), "undrain vbr-acme"},
	"state.tests": {"drill create --router vbr-acme", "drill list -o json", regexp.MustCompile(`"id":\s*"([^"]+)"`), "drill delete "},
}

// suffersCommand gives a command that changes a record, with the fault, and takes it back without. What was acknowledged holds, what was refused has not
// happened, and neither is another thing after a restart.
func (s *site) suffersCommand(c faultCase) {
	r := records[c.effect]
	began := s.log.len()
	s.launch(c.String())
	_, err := s.try(strings.Fields(r.do)...)
	if (err == nil) != strings.HasPrefix(c.act, "delay") {
		s.t.Errorf("%s: %v", r.do, err)
	}
	shown := func() []string {
		out, err := s.try(strings.Fields(r.look)...)
		if err != nil {
			s.t.Error(err)
		}
		return r.shown.FindStringSubmatch(out)
	}
	var is []bool
	if c.act != "kill" {
		is = append(is, shown() != nil)
		if err := s.daemon.end(syscall.SIGTERM); err != nil {
			s.t.Error(err)
		}
	}
	<-s.daemon.done
	s.launch("")
	last := shown()
	is = append(is, last != nil)
	if want := c.act == "kill" && c.when == "after" || err == nil; slices.Contains(is, !want) {
		s.t.Errorf("%s has happened, before and after a restart: %v, want %v", r.do, is, want)
	}
	if log := s.log.since(began); !strings.Contains(log, fmt.Sprintf("fault: %s.%s: ", c.effect, c.when)) {
		s.t.Error("the point was not reached")
	}
	if last != nil {
		if out, err := s.try(strings.Fields(r.undo + last[1])...); err != nil || shown() != nil {
			s.t.Errorf("%s: %v: %s", r.undo, err, out)
		}
	}
	if err := s.daemon.end(syscall.SIGTERM); err != nil {
		s.t.Error(err)
	}
	if lost := s.lost.take(); len(lost) > 0 {
		s.t.Errorf("172.16.1.0/24 was away: %v", lost)
	}
}

// settles waits until all is right, or vbrd has ended.
func (s *site) settles(n int) {
	s.t.Helper()
	eventually(s.t, "all is right without a restart", func() error {
		if !s.daemon.alive() {
			return nil
		}
		return s.right(n)
	})
}

// resurrect starts a vbrd that has died: the store is n or the one before, which n is then applied to.
func (s *site) resurrect(n int, acknowledged bool) {
	s.launch("")
	is := ""
	for _, r := range s.resources() {
		if v := r.GetVirtualBorderRouter(); v != nil {
			is = v.Description
		}
	}
	s.allOf(is)
	switch is {
	case fmt.Sprint("intent ", n):
	case fmt.Sprint("intent ", n-1):
		if acknowledged {
			s.t.Errorf("what was acknowledged is not stored: it is %s", is)
		}
		eventually(s.t, "all is as before", func() error { return s.devicesRight(n - 1) })
		s.mustApply("intent.yaml", s.wanted(n), "--prune")
	default:
		s.t.Errorf("the store is neither before nor after: %q", is)
	}
	eventually(s.t, "all is right after the restart", func() error { return s.right(n) })
	if err := s.daemon.end(syscall.SIGTERM); err != nil {
		s.t.Error(err)
	}
}

// shows says whether an injected error is in what vbrctl tells.
func (s *site) shows() bool {
	for _, words := range []string{"events", "show host", "show routers"} {
		if out, _ := s.try(strings.Fields(words + " -o json")...); strings.Contains(out, "injected fault") {
			return true
		}
	}
	return false
}
