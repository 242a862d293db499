package admin

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

// Who asks vbrd while it starts waits until it knows its routers, and is not told that there are none.
func TestAskedWhileStarting(t *testing.T) {
	s := newFaultSite(t)
	s.launch("")
	s.ctl("drain", "vbr-acme")
	if err := s.daemon.end(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(s.path("state/ids.json")); err != nil { // it is written before the routers are known
		t.Fatal(err)
	}
	d := s.spawn("state.ids.before=delay:3s@1")
	eventually(t, "vbrd waits", func() error { return has(s.log.since(d.told), "fault: state.ids.before: ") })
	out, err := s.try("show", "routers", "-o", "json")
	if err == nil {
		err = has(strings.ReplaceAll(out, " ", ""), `"drained":true`)
	}
	if err != nil {
		t.Error(err)
	}
}

// A device that a killed vbrd had made and not named yet, and that the intent does not name any more, goes at the next start.
func TestNamelessDeviceGoes(t *testing.T) {
	s := newFaultSite(t)
	s.ip("link add vx5001 group 8686 type vxlan id 5001 dstport 4789")
	s.launch("")
	s.settles(0)
}
