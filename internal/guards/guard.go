package guards

import (
	"fmt"
	"strings"
)

// guard is one guard, and how it is taken out.
type guard struct {
	// name says what is let in without it, or who; it is unique.
	name string
	// file has it, relative to the root of the tree; old occurs there once, and with new in its place the guard is gone.
	file, old, new string
	// test is a test's folder, relative to the root, and its name, a subtest's after a slash: it fails when the guard is gone.
	pkg, test string
}

// without is the source without the guard.
func (g *guard) without(source string) (string, error) {
	if n := strings.Count(source, g.old); n != 1 {
		return "", fmt.Errorf("%s: %s has %q %d times; legal: once", g.name, g.file, g.old, n)
	}
	return strings.Replace(source, g.old, g.new, 1), nil
}

// function is the name of the test without that of a subtest.
func (g *guard) function() string {
	name, _, _ := strings.Cut(g.test, "/")
	return name
}

// all are the guards in the order of docs/security.md.
func all() []guard {
	var l []guard
	for _, part := range [][]guard{packets(), sessions(), messages(), routes(), tenants(), callers(), resources()} {
		l = append(l, part...)
	}
	return l
}
