//go:build faults

package fault

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func arms(t *testing.T, text string) {
	t.Helper()
	t.Cleanup(func() { armed.Store(nil) })
	rest, what, err := Arm([]string{"A=1", Variable + "=" + text})
	if err != nil || what != text || !slices.Equal(rest, []string{"A=1"}) {
		t.Fatalf("%q, %q, %v", rest, what, err)
	}
}

func TestError(t *testing.T) {
	for _, c := range []struct {
		text string
		done string // at each of four passes: was it done (d) or not (-), and was there an error (!)
	}{
		{"fib.routes.before=error", "-! -! -! -!"},
		{"fib.routes.before=error@2", "d -! d d"},
		{"fib.routes.after=error@1", "d! d d d"},
		{"fib.routes.before=error@2-3", "d -! -! d"},
		{"fib.groups.after=error", "d d d d"},
	} {
		arms(t, c.text)
		var got []string
		for range 4 {
			did := "-"
			if err := Around("fib.routes", func() error { did = "d"; return nil }); errors.Is(err, ErrInjected) {
				did += "!"
			}
			got = append(got, did)
		}
		if s := strings.Join(got, " "); s != c.done {
			t.Errorf("%s: %s, want %s", c.text, s, c.done)
		}
	}
	arms(t, "fib.routes.after=error")
	own := errors.New("own")
	if err := Around("fib.routes", func() error { return own }); err != own {
		t.Errorf("%v in place of its own error", err)
	}
}

func TestDelay(t *testing.T) {
	const delay = 500 * time.Millisecond
	arms(t, "api.call.after=delay:500ms@2")
	for _, least := range []time.Duration{0, delay, 0} {
		began := time.Now()
		if err := Around("api.call", func() error { return nil }); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took < least || least == 0 && took >= delay {
			t.Errorf("%v, want %v", took, least)
		}
	}
}

func TestArmRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"store.comit.before=kill":           "no such point; legal: .before and .after of store.commit, ",
		"store.commit=kill":                 "no such point",
		"store.commit.during=kill":          "no such point",
		"kill":                              "no such point",
		"store.commit.before":               "legal: kill, error, delay:200ms",
		"store.commit.before=burn":          "burn: legal: kill, error, delay:200ms",
		"store.commit.before=kill:1s":       "legal: kill",
		"store.commit.before=delay":         "legal: kill",
		"store.commit.before=delay:-1s":     "legal: kill",
		"store.commit.before=kill@0":        "@0: legal: a number from 1",
		"store.commit.before=kill@":         "@: legal: a number from 1",
		"store.commit.before=delay:1s@once": "@once: legal: a number from 1",
		"store.commit.before=kill@3-2":      "@3-2: legal",
		"store.commit.before=kill@1-":       "@1-: legal",
	} {
		if _, _, err := Arm([]string{Variable + "=" + text}); err == nil || !strings.Contains(err.Error(), want) || armed.Load() != nil {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	if rest, what, err := Arm([]string{Variable + "="}); err != nil || what != "" || len(rest) != 1 {
		t.Errorf("an empty one: %q, %q, %v", rest, what, err)
	}
}
