//go:build !faults

package fault

import (
	"slices"
	"testing"
)

// Without the tag the variable is left to the settings, which know no such one: vbrd refuses to start.
func TestReleaseHasNoFaults(t *testing.T) {
	env := []string{"A=1", Variable + "=store.commit.before=kill"}
	if rest, armed, err := Arm(env); !slices.Equal(rest, env) || armed != "" || err != nil {
		t.Errorf("%q, %q, %v", rest, armed, err)
	}
}
