package clab

import (
	"errors"
	"regexp"
	"slices"
	"testing"
)

func TestJudge(t *testing.T) {
	up, down := regexp.MustCompile("up"), regexp.MustCompile("down")
	broken := errors.New("exit status 1")
	for _, test := range []struct {
		name  string
		a     Assertion
		out   string
		err   error
		holds bool
	}{
		{"OK status", Assertion{}, "", nil, true},
		{"bad status", Assertion{}, "", broken, false},
		{"OK failure", Assertion{Fails: true}, "", broken, true},
		{"bad success", Assertion{Fails: true}, "", nil, false},
		{"OK expected", Assertion{Expect: up}, "is up", nil, true},
		{"bad not there", Assertion{Expect: up}, "is down", nil, false},
		{"bad there, but failed", Assertion{Expect: up}, "is up", broken, false},
		{"OK not there", Assertion{Reject: down}, "is up", nil, true},
		{"bad rejected", Assertion{Reject: down}, "is down", nil, false},
		{"bad both", Assertion{Expect: up, Reject: down}, "up and down", nil, false},
	} {
		if err := test.a.judge(test.out, test.err); (err == nil) != test.holds {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestDaemons(t *testing.T) {
	got := daemons("zebra=yes\nbgpd=yes\n# ospfd=yes\nospfd=no\n bfdd=yes\nvtysh_enable=yes\nbgpd_options=\"-A 127.0.0.1\"\n")
	if want := []string{"bgpd", "bfdd"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
