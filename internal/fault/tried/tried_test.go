package tried

import (
	"slices"
	"testing"
)

// Each effect is tried by a test. That it is with each act is what TestFaults and TestFaultsOfDevices ask Missing first.
func TestEveryPointIsTried(t *testing.T) {
	if list := Nowhere(); len(list) > 0 {
		t.Errorf("in no matrix: %q", list)
	}
}

func TestMissing(t *testing.T) {
	cases := []string{"a.b.before=kill@1", "a.b.before=error@1-3", "a.b.before=delay:300ms@1-3", "a.b.after=kill", "a.b.after=error"}
	if got, want := Missing([]string{"a.b"}, cases), []string{"a.b.after=delay"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := Missing([]string{"evpn.stop"}, nil); len(got) != 5 || slices.Contains(got, "evpn.stop.before=error") {
		t.Errorf("%q", got)
	}
}
