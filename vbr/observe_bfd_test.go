package vbr

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/openvbr/openvbr/bgp/bfd"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

func TestBFDMessage(t *testing.T) {
	since := time.Unix(1e9, 0)
	got := bfdMessage(&bfd.Status{
		Session: bfd.Session{DetectMult: 3}, State: bfd.Up, RemoteState: bfd.Init, Since: since, Diag: bfd.DiagTimeExpired, RemoteDiag: bfd.DiagAdminDown,
		Discriminator: 7, RemoteDiscr: 8, TxInterval: 300 * time.Millisecond, DetectTime: 500 * time.Millisecond, RemoteDetectMult: 5,
		Independent: true, Received: 10, Sent: 11, Downs: 2, Err: "no device",
	})
	want := &vbrv1.BfdSession{
		State: "Up", RemoteState: "Init", Since: stamp(since), Diagnostic: "control detection time expired", RemoteDiagnostic: "administratively down",
		Discriminator: 7, RemoteDiscriminator: 8, TxInterval: 300, RxInterval: 100, DetectTime: 500, DetectMultiplier: 3, RemoteDetectMultiplier: 5,
		ControlPlaneIndependent: true, PacketsReceived: 10, PacketsSent: 11, DownCount: 2, Error: "no device",
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
