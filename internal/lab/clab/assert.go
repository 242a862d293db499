package clab

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"time"

	"github.com/openvbr/openvbr/vbr/intent/source"
)

// Assertion is something that must hold once a topology runs: an item of assert.yml, which is a list. They are looked at in their order, so
// one may also do something (cut a line) that the next ones are about.
//
//   - node: vm                         # where
//     run: ping -c 3 172.16.1.1        # a command, by its words, with no shell; `docker exec clab-LAB-vm ping ...` does the same
//     expect: " 0% packet loss"        # a regular expression that its output matches
//     reject: "unreachable"            # one that it does not match
//     fails: true                      # its exit status is not 0; default: it is
//     within: 30s                      # it is run again until all that is so, for at most as long; default: 10s; 0s: once
type Assertion struct {
	Pos            source.Pos
	Node           string
	Run            []string
	Expect, Reject *regexp.Regexp // nil: anything
	Fails          bool
	Within         time.Duration
}

// maxWithin bounds an assertion.
const maxWithin = 2 * time.Minute

// LoadAssertions reads the assert.yml beside a topology.
func LoadAssertions(t *Topology) ([]Assertion, error) {
	d := &decoder{}
	var all []Assertion
	if root := d.document(filepath.Join(filepath.Dir(t.File), "assert.yml")); root != nil {
		d.each(func(n *source.Node, path string) { all = append(all, d.assertion(t, n, path)) })(root, "")
	}
	d.problems.Sort()
	return all, d.problems.Err()
}

func (d *decoder) assertion(t *Topology, n *source.Node, path string) Assertion {
	a := Assertion{Pos: n.Pos, Within: 10 * time.Second}
	var fails string
	d.fields(n, path, map[string]take{
		"node": func(n *source.Node, path string) {
			if d.text(&a.Node, anything, "a node's name")(n, path); t.Node(a.Node) == nil {
				d.fail(n, path, "no such node", "one of "+t.File)
			}
		},
		"run":    func(n *source.Node, path string) { a.Run = d.words(n, path) },
		"expect": d.pattern(&a.Expect),
		"reject": d.pattern(&a.Reject),
		"fails":  d.text(&fails, regexp.MustCompile(`^(true|false)$`), "true, false"),
		"within": func(n *source.Node, path string) {
			var err error
			if a.Within, err = time.ParseDuration(n.Text); err != nil || a.Within < 0 || a.Within > maxWithin {
				d.fail(n, path, "not a limit", "a duration from 0s to "+maxWithin.String())
			}
		},
	})
	if n.Kind == source.Map && (n.Get("node") == nil || n.Get("run") == nil) {
		d.fail(n, path, "node or run is missing", "both")
	}
	a.Fails = fails == "true"
	return a
}

func (d *decoder) pattern(to **regexp.Regexp) take {
	return func(n *source.Node, path string) {
		if !d.is(n, source.Scalar, path) {
			return
		}
		p, err := regexp.Compile("(?m)" + n.Text)
		if err != nil {
			d.fail(n, path, err.Error(), "a regular expression of Go's")
		}
		*to = p
	}
}

// judge is nil when a command's output and error are as the assertion wants them.
func (a *Assertion) judge(out string, err error) error {
	switch {
	case a.Fails && err == nil:
		return errors.New("it succeeded:\n" + out)
	case !a.Fails && err != nil:
		return err
	case a.Expect != nil && !a.Expect.MatchString(out):
		return fmt.Errorf("the output does not match %q:\n%s", a.Expect, out)
	case a.Reject != nil && a.Reject.MatchString(out):
		return fmt.Errorf("the output matches %q:\n%s", a.Reject, out)
	}
	return nil
}
