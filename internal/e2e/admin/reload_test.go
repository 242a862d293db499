package admin

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// reload sends SIGHUP and waits until what is wanted is so.
func (e *edge) reload(what string, f func() error) {
	e.t.Helper()
	if err := e.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		e.t.Fatal(err)
	}
	eventually(e.t, what, f)
}

// SIGHUP takes changed files without touching what did not change in them; broken ones change nothing and are told with their places.
func TestReload(t *testing.T) {
	e := newEdge(t, "edge1", "")
	file := put(t, e.path("resources.d/acme.yaml"), acme(onePeer))
	e.bird("")
	e.start()
	eventually(t, "the session and its route", e.up)
	since := e.since()

	second := strings.Replace(onePeer, "]", ", {peer_ip_address: 10.0.0.3, peer_asn: 65003}]", 1)
	changed := acme(second + "description: changed\n")
	put(t, file, changed)
	e.reload("the second peer", func() error {
		if n := len(e.sessions()); n != 2 {
			return fmt.Errorf("%d sessions", n)
		}
		return nil
	})
	want := e.resources()
	for _, tt := range []struct{ name, text, says string }{
		{"no YAML", "kind: [", "acme.yaml"},
		{"unknown field", changed + "speed: 9\n", "acme.yaml:15:1"},
		{"bad value", strings.Replace(changed, "65001", "0", 1), "peer_asn"},
		{"dangling reference", strings.Replace(changed, "name: pc-1", "name: pc-2", 1), "no such PhysicalConnection"},
		{"no such device", strings.Replace(changed, "device: eth1", "device: eth77", 1), "eth77"},
		{"twice", changed + "---\n" + changed, "pc-1"},
	} {
		put(t, file, tt.text)
		told := e.log.len()
		e.reload(tt.name+" is told", func() error { return has(e.log.since(told), "what was read before stays", tt.says) })
		if err := sameResources(e.resources(), want); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if err := e.up(); err != nil || !e.since().Equal(since) || len(e.sessions()) != 2 {
		t.Errorf("the session is up since %v, was %v: %v", e.since(), since, err)
	}

	put(t, file, acme(onePeer+"description: mended\n"))
	e.reload("the mended file", func() error { return has(e.ctl("get", "vbr", "-o", "yaml"), "mended") })
	if err := e.apply("mine.yaml", acme(onePeer+"description: mine\n")); err == nil || has(err.Error(), file) != nil {
		t.Errorf("what belongs to a file was changed, or the file is not named: %v", err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	e.reload("the router goes with its file", func() error {
		if names := e.names(); len(names) > 0 {
			return fmt.Errorf("there is %q", names)
		}
		return nil
	})
	eventually(t, "and its route and address", func() error {
		if routes, addresses := e.ip("route show proto 86"), e.addresses(); routes != "" || len(addresses) > 0 {
			return fmt.Errorf("%s%q", routes, addresses)
		}
		return nil
	})
}
