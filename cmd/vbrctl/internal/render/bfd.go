package render

import (
	"fmt"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/table"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// BFD shows the BFD sessions of BGP sessions that have one, with the columns of FRR's `show bfd peers brief` and more.
func (p *Page) BFD(sessions []*vbrv1.BgpSession) error {
	t := p.table(left("Router"), right("SessionId"), left("LocalAddress"), left("PeerAddress"), left("Status"), right("Since"),
		right("Tx"), right("Rx"), right("Detect"), right("Downs"), left("Strict"),
		inWide(right("RemoteId")), inWide(left("RemoteStatus")), inWide(left("RemoteDiag")), inWide(right("Mult")), inWide(left("C")),
		inWide(right("PktRcvd")), inWide(right("PktSent")), inWide(left("Device")), left("Desc"))
	for _, s := range sessions {
		b := s.GetBfd()
		t.Row(orDash(s.GetRouter()), b.GetDiscriminator(), orDash(s.GetLocalIpAddress()), s.GetPeerIpAddress(), bfdState(b), p.age(b.GetSince()),
			millis(b.GetTxInterval()), millis(b.GetRxInterval()), millis(b.GetDetectTime()), b.GetDownCount(), yesNo(b.GetStrict()),
			b.GetRemoteDiscriminator(), orDash(b.GetRemoteState()), orDash(b.GetRemoteDiagnostic()),
			fmt.Sprintf("%d/%d", b.GetDetectMultiplier(), b.GetRemoteDetectMultiplier()), yesNo(b.GetControlPlaneIndependent()),
			b.GetPacketsReceived(), b.GetPacketsSent(), orDash(s.GetDevice()), p.bfdDescription(b))
	}
	return t.Flush()
}

// bfdState spells a state of RFC 5880 4.1 as FRR does.
func bfdState(b *vbrv1.BfdSession) table.Cell {
	switch b.GetState() {
	case "Up":
		return table.Cell{Text: "up", Style: table.Good}
	case "Init":
		return table.Cell{Text: "init", Style: table.Warn}
	case "AdminDown":
		return table.Cell{Text: "shutdown", Style: table.Warn}
	}
	return table.Cell{Text: "down", Style: table.Bad}
}

// bfdDescription is why packets do not come or go, why routes do not count, or why it last went down.
func (p *Page) bfdDescription(b *vbrv1.BfdSession) string {
	switch {
	case b.GetError() != "":
		return b.GetError()
	case b.GetHoldDownUntil() != nil:
		return "routes held until " + p.clock(b.GetHoldDownUntil())
	case b.GetHeld():
		return "routes held: " + b.GetDiagnostic()
	case b.GetState() != "Up" && b.GetRemoteState() == "AdminDown":
		return "switched off by the peer"
	case b.GetState() == "Up" && b.GetDownCount() == 0:
		return ""
	}
	return b.GetDiagnostic()
}

func millis(n uint32) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprintf("%dms", n)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
