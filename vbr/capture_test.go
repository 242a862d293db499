package vbr

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/capture"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/link"
)

func TestCaptureRequest(t *testing.T) {
	for _, tt := range []struct {
		req   *vbrv1.CaptureRequest
		field string
		most  bounds
	}{
		{&vbrv1.CaptureRequest{}, "", bounds{10_000, 16 << 20, time.Minute}},
		{&vbrv1.CaptureRequest{Filter: "tcp port 179", SnapLength: 64, Packets: 1, Bytes: 1, Seconds: 1}, "", bounds{1, 1, time.Second}},
		{&vbrv1.CaptureRequest{SnapLength: 65535, Packets: 1_000_000, Bytes: 64 << 20, Seconds: 600}, "", bounds{1_000_000, 64 << 20, 10 * time.Minute}},
		{&vbrv1.CaptureRequest{Filter: "tcp prt 179"}, "filter", bounds{}},
		{&vbrv1.CaptureRequest{SnapLength: 63}, "snap_length", bounds{}},
		{&vbrv1.CaptureRequest{SnapLength: 65536}, "snap_length", bounds{}},
		{&vbrv1.CaptureRequest{Packets: 1_000_001}, "packets", bounds{}},
		{&vbrv1.CaptureRequest{Bytes: 64<<20 + 1}, "bytes", bounds{}},
		{&vbrv1.CaptureRequest{Seconds: 601}, "seconds", bounds{}},
	} {
		s, err := sniffOf(tt.req)
		field := ""
		if bad := (*RequestError)(nil); errors.As(err, &bad) {
			field = bad.Field
		}
		if field != tt.field || (err != nil) != (tt.field != "") || err == nil && s.most != tt.most {
			t.Errorf("%v: %+v, %v", tt.req, s.most, err)
		}
	}
	_, err := sniffOf(&vbrv1.CaptureRequest{Filter: "tcp prt 179"})
	if err == nil || err.Error() != `filter: "tcp prt 179"; legal: and, or, the end, instead of what is at character 5` {
		t.Error(err)
	}
}

// A capture is of the router's own devices, and of those only as long as they are its own.
func TestCaptureDevices(t *testing.T) {
	own := &spec{name: "vbr-acme", kind: intent.VBR, link: link.Router{VRF: "vbr-acme", Lines: []link.Line{{Port: "eth1", Device: "eth1.100"}, {Port: "eth1", Device: "eth1.101"}}, Tunnels: []link.Tunnel{{Device: "vx5001"}}}}
	r := &router{name: "vbr-acme", spec: own, state: link.State{Lines: []link.Device{{Name: "eth1.100", Index: 7}, {Name: "eth1.101", Index: 8}}, Tunnels: []link.Device{{Name: "vx5001", Index: 9}}}}
	for asked, want := range map[string]string{"": "eth1.100 eth1.101", "vx5001": "vx5001", "eth1.101": "eth1.101"} {
		if got, err := r.toCapture(asked); err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q: %q, %v", asked, got, err)
		}
	}
	for _, asked := range []string{"eth1", "eth1.200", "vbr-acme", "lo"} {
		_, err := r.toCapture(asked)
		if err == nil || !strings.Contains(err.Error(), "legal: one of router vbr-acme's devices: eth1.100, eth1.101, vx5001; nothing for all of its lines") {
			t.Errorf("%q: %v", asked, err)
		}
	}
	for _, tt := range []struct {
		device string
		index  int
		want   bool
	}{{"eth1.100", 7, true}, {"vx5001", 9, true}, {"eth1.100", 8, false}, {"eth1.100", 70, false}, {"eth1.200", 7, false}, {"eth1", 0, false}} {
		if got := r.hasDevice(tt.device, tt.index); got != tt.want {
			t.Errorf("%s %d: %v", tt.device, tt.index, got)
		}
	}
	next := *own
	next.link.Lines = own.link.Lines[1:]
	r.next = &next
	if r.hasDevice("eth1.100", 7) || !r.hasDevice("eth1.101", 8) {
		t.Error("what it is about to become is not looked at")
	}
	r.unserved = true
	if _, err := r.toCapture(""); err == nil {
		t.Error("a router that is not served has devices")
	}
}

func TestCapturesAtOnce(t *testing.T) {
	var c captures
	for _, router := range []string{"a", "a", "b", "b", "c", "c", "d", "d"} {
		if err := c.take(router); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.take("a"); err == nil || err.Error() != "2 captures of router a are under way, as many as may be; try again" {
		t.Error(err)
	}
	if err := c.take("e"); err == nil || err.Error() != "8 captures of this host are under way, as many as may be; try again" {
		t.Error(err)
	}
	c.give("b")
	if err := c.take("e"); err != nil {
		t.Error(err)
	}
}

// A capture ends at the first of its bounds, when its caller is gone, and with nothing more when a device is not the router's any more. It needs CAP_NET_RAW.
func TestCaptureEnds(t *testing.T) {
	run(t, "ip link set lo up")
	to, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
				_, _ = to.WriteTo(make([]byte, 100), to.LocalAddr())
			}
		}
	}()
	defer func() { close(stop); <-done }()
	yes, gone := func() bool { return true }, errors.New("the client is gone")
	for _, tt := range []struct {
		name    string
		most    bounds
		its     func() bool
		yield   error
		packets int // at least; -1: exactly none
		ended   string
		err     error
	}{
		{"packets", bounds{3, 1 << 20, time.Minute}, yes, nil, 3, "3 packets", nil},
		{"bytes", bounds{100, 150, time.Minute}, yes, nil, 1, "142 octets: one more packet would be more than 150", nil},
		{"time", bounds{1000, 1 << 20, time.Second}, yes, nil, 10, "1s", nil},
		{"device", bounds{1000, 1 << 20, time.Minute}, func() bool { return false }, nil, -1, captureOver, nil},
		{"client", bounds{1000, 1 << 20, time.Minute}, yes, gone, 0, "", gone},
	} {
		_, port, _ := net.SplitHostPort(to.LocalAddr().String())
		filter, err := capture.Compile("udp dst port "+port, capture.MaxSnap)
		if err != nil {
			t.Fatal(err)
		}
		c, err := capture.Open([]string{"lo"}, filter)
		if err != nil {
			t.Fatal(err)
		}
		packets, ended := 0, ""
		err = tt.most.run(t.Context(), c, tt.its, func(r *vbrv1.CaptureResponse) error {
			packets, ended = packets+len(r.GetPackets()), r.GetEnded()
			return tt.yield
		})
		c.Close()
		if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) || ended != tt.ended || packets < tt.packets || tt.packets < 0 && packets > 0 {
			t.Errorf("%s: %d packets, ended by %q, %v", tt.name, packets, ended, err)
		}
	}
}
