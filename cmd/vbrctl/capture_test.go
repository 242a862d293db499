package main

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// Capture has three packets, of which the second is cut.
func (f *fake) Capture(r *vbrv1.CaptureRequest, out grpc.ServerStreamingServer[vbrv1.CaptureResponse]) error {
	if err := f.ask(out.Context(), r); err != nil {
		return err
	}
	if r.GetRouter() != "vbr-acme" {
		return status.Error(codes.NotFound, "there is none")
	}
	at := func(ns int64) *timestamppb.Timestamp { return timestamppb.New(time.Unix(1_700_000_000, ns)) }
	first := &vbrv1.CaptureResponse{Devices: []string{"eth1.100", "eth1.101"}}
	second := &vbrv1.CaptureResponse{Packets: []*vbrv1.CapturedPacket{{Time: at(1), Length: 4, Data: []byte{1, 2, 3, 4}}, {Time: at(999_999_999), Length: 1500, Data: []byte{5}}}}
	third := &vbrv1.CaptureResponse{Packets: []*vbrv1.CapturedPacket{{Time: at(0), Length: 1, Data: []byte{6}}}, Dropped: 7, Ended: "3 packets"}
	for _, m := range []*vbrv1.CaptureResponse{first, second, third} {
		if err := out.Send(m); err != nil {
			return err
		}
	}
	return nil
}

// captured is the file: a header, and three packets with theirs.
const captured = "4d3cb2a1020004000000000000000000ffff000001000000" +
	"00f1536501000000040000000400000001020304" + "00f15365ffc99a3b01000000dc05000005" + "00f1536500000000010000000100000006"

func TestCapture(t *testing.T) {
	f := start(t)
	r := f.vbrctl(t, "capture", "vbr-acme", "--filter", "tcp port 179", "-c", "3", "--duration", "2m", "-s", "128", "--device", "eth1.100")
	const said = "capturing on eth1.100, eth1.101; Ctrl-C ends it\n3 packets, 7 dropped; ended by 3 packets\n"
	if got := hex.EncodeToString([]byte(r.out)); r.status != exitOK || got != captured || r.err != said {
		t.Errorf("status %d, %s\n%s", r.status, got, r.err)
	}
	want := &vbrv1.CaptureRequest{Router: "vbr-acme", Device: "eth1.100", Filter: "tcp port 179", SnapLength: 128, Packets: 3, Bytes: 16 << 20, Seconds: 120}
	if got := last[*vbrv1.CaptureRequest](t, f); !proto.Equal(got, want) {
		t.Errorf("asked %v", got)
	}
}

func TestCaptureToFile(t *testing.T) {
	f := start(t)
	path := filepath.Join(t.TempDir(), "x.pcap")
	if r := f.vbrctl(t, "capture", "vbr-nono", "-w", path); r.status != exitFailed {
		t.Errorf("%+v", r)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a capture that was refused has made a file")
	}
	r := f.vbrctl(t, "capture", "vbr-acme", "-w", path)
	text, err := os.ReadFile(path)
	info, _ := os.Stat(path)
	if r.status != exitOK || err != nil || hex.EncodeToString(text) != captured || info.Mode().Perm() != 0o600 || r.out != "" {
		t.Errorf("%+v, %v, %x", r, err, text)
	}
	if r := f.vbrctl(t, "capture", "vbr-acme", "-w", path+"/none"); r.status != exitFailed || !strings.Contains(r.err, "not a directory") {
		t.Errorf("%+v", r)
	}
	f.vbrctl(t, "capture", "vbr-acme", "--duration", "11m").complain(t, exitUsage, "--duration 11m0s; legal: 1s..10m, in whole seconds\n")
	f.vbrctl(t, "capture", "vbr-acme", "-c", "0").complain(t, exitUsage, "--count 0 --bytes 16777216 --snaplen 65535; legal: each 1 or more\n")
}
