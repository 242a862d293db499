//go:build faults

package fault

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// point is the one that is armed.
type point struct {
	effect, when string
	act          string // kill, error, delay
	pause        time.Duration
	from, to     int64 // at which passes only; 0: at each
	passes       atomic.Int64
}

var armed atomic.Pointer[point]

// ErrInjected is what an effect's error wraps that a fault made.
var ErrInjected = errors.New("injected fault")

// Around does it, between the effect's two points. An error at the first has it not done; one at the second is returned though it is done.
func Around(effect string, do func() error) error {
	p := armed.Load()
	if p == nil || p.effect != effect {
		return do()
	}
	if err := p.pass("before"); err != nil {
		return err
	}
	err := do()
	if injected := p.pass("after"); err == nil {
		err = injected
	}
	return err
}

func (p *point) pass(when string) error {
	if p.when != when {
		return nil
	}
	if n := p.passes.Add(1); p.from > 0 && (n < p.from || n > p.to) {
		return nil
	}
	fmt.Fprintf(os.Stderr, "fault: %s.%s: %s\n", p.effect, p.when, p.act)
	switch p.act {
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "delay":
		time.Sleep(p.pause)
		return nil
	}
	return fmt.Errorf("%s.%s: %w", p.effect, p.when, ErrInjected)
}

// Arm arms the point that [Variable] in the environment names, for the rest of the process, and returns the environment without it. What it says is
//
//	EFFECT.before|after=kill|error|delay:DURATION[@N[-M]]
//
// with N: at the Nth pass only, from 1, or up to the Mth. armed is what was armed, "" for nothing. An unknown effect or act is an error.
func Arm(env []string) (rest []string, armed string, err error) {
	for _, e := range env {
		if text, is := strings.CutPrefix(e, Variable+"="); is && text != "" {
			if err := arm(text); err != nil {
				return nil, "", fmt.Errorf("%s: %q: %w", Variable, text, err)
			}
			armed = text
		} else {
			rest = append(rest, e)
		}
	}
	return rest, armed, nil
}

func arm(text string) error {
	name, what, _ := strings.Cut(text, "=")
	effect, when := name, ""
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		effect, when = name[:i], name[i+1:]
	}
	if !slices.Contains(Effects, effect) || when != "before" && when != "after" {
		return fmt.Errorf("no such point; legal: .before and .after of %s", strings.Join(Effects, ", "))
	}
	p := &point{effect: effect, when: when}
	what, nth, counted := strings.Cut(what, "@")
	if counted {
		first, last, both := strings.Cut(nth, "-")
		if !both {
			last = first
		}
		from, err := strconv.ParseInt(first, 10, 64)
		to, err2 := strconv.ParseInt(last, 10, 64)
		if err != nil || err2 != nil || from < 1 || to < from {
			return fmt.Errorf("@%s: legal: a number from 1, or two such as 1-3", nth)
		}
		p.from, p.to = from, to
	}
	var pause string
	p.act, pause, _ = strings.Cut(what, ":")
	switch d, err := time.ParseDuration(pause); {
	case p.act == "delay" && err == nil && d > 0:
		p.pause = d
	case (p.act != "kill" && p.act != "error") || pause != "":
		return fmt.Errorf("%s: legal: kill, error, delay:200ms", what)
	}
	armed.Store(p)
	return nil
}
