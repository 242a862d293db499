package vbr

import (
	"errors"
	"testing"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

func TestProbeRequest(t *testing.T) {
	for _, tt := range []struct {
		req   *vbrv1.ProbeRequest
		field string
	}{
		{&vbrv1.ProbeRequest{Target: "172.16.1.1"}, ""},
		{&vbrv1.ProbeRequest{Target: "2001:db8::1", Source: "fd00::1", HopLimit: 255, Size: 8972, TimeoutMs: 5000, DontFragment: true}, ""},
		{&vbrv1.ProbeRequest{}, "target"},
		{&vbrv1.ProbeRequest{Target: "172.16.1.0/24"}, "target"},
		{&vbrv1.ProbeRequest{Target: "224.0.0.1"}, "target"},
		{&vbrv1.ProbeRequest{Target: "255.255.255.255"}, "target"},
		{&vbrv1.ProbeRequest{Target: "127.0.0.1"}, "target"},
		{&vbrv1.ProbeRequest{Target: "169.254.169.254"}, "target"},
		{&vbrv1.ProbeRequest{Target: "fe80::1%eth0"}, "target"},
		{&vbrv1.ProbeRequest{Target: "::ffff:10.0.0.1"}, "target"},
		{&vbrv1.ProbeRequest{Target: "172.16.1.1", Source: "fd00::1"}, "source"},
		{&vbrv1.ProbeRequest{Target: "172.16.1.1", Source: "me"}, "source"},
		{&vbrv1.ProbeRequest{Target: "172.16.1.1", HopLimit: 256}, "hop_limit"},
		{&vbrv1.ProbeRequest{Target: "172.16.1.1", Size: 7}, "size"},
		{&vbrv1.ProbeRequest{Target: "172.16.1.1", Size: 8973}, "size"},
		{&vbrv1.ProbeRequest{Target: "172.16.1.1", TimeoutMs: 9}, "timeout_ms"},
		{&vbrv1.ProbeRequest{Target: "172.16.1.1", TimeoutMs: 5001}, "timeout_ms"},
	} {
		_, _, err := shotOf(tt.req)
		field := ""
		if bad := (*RequestError)(nil); errors.As(err, &bad) {
			field = bad.Field
		}
		if field != tt.field || (err != nil) != (tt.field != "") {
			t.Errorf("%v: %v", tt.req, err)
		}
	}
}

// One router's probes do not keep another's from being sent.
func TestProbesAtOnce(t *testing.T) {
	var s shots
	for range shotsPerRouter {
		if err := s.take("vbr-acme"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.take("vbr-acme"); err == nil || err.Error() != "8 probes of router vbr-acme are under way, as many as may be; try again" {
		t.Error(err)
	}
	if err := s.take("vbr-beta"); err != nil {
		t.Error(err)
	}
	s.give("vbr-beta")
	s.give("vbr-acme")
	if err := s.take("vbr-acme"); err != nil || s.all != shotsPerRouter || len(s.of) != 1 {
		t.Errorf("%v, %d %v", err, s.all, s.of)
	}
}
