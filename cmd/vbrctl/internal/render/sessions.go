package render

import (
	"fmt"
	"strings"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/table"
	"github.com/openvbr/openvbr/internal/words"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// Established tells whether a session is.
func Established(s *vbrv1.BgpSession) bool { return s.GetBgpStatus() == "established" }

// Sessions shows sessions with the columns of FRR's `show bgp summary`.
func (p *Page) Sessions(sessions []*vbrv1.BgpSession) error {
	t := p.table(left("Router"), left("Neighbor"), right("V"), right("AS"), right("MsgRcvd"), right("MsgSent"), right("Up/Down"),
		right("State/PfxRcd"), right("PfxSnt"), inWide(right("PfxAcc")), inWide(right("PfxStale")), inWide(left("Rejected")),
		inWide(left("Device")), inWide(left("Local")), inWide(right("LocalAS")), inWide(left("RouterID")), inWide(left("Hold/Keep")),
		inWide(left("Families")), inWide(left("GR")), inWide(left("Role")), inWide(left("BFD")), inWide(right("Ups")), left("Desc"))
	for _, s := range sessions {
		t.Row(orDash(s.GetRouter()), s.GetPeerIpAddress(), 4, s.GetPeerAsn(), s.GetMessagesReceived(), s.GetMessagesSent(), p.upDown(s),
			stateOrCount(s), s.GetAdvertisedRouteCount(), s.GetAcceptedRouteCount(), s.GetStaleRouteCount(), orDash(words.Counts(s.GetRejected())),
			orDash(s.GetDevice()), orDash(s.GetLocalIpAddress()), s.GetLocalAsn(), orDash(s.GetPeerRouterId()),
			fmt.Sprintf("%d/%d", s.GetHold(), s.GetKeepalive()), orDash(strings.Join(s.GetFamilies(), " ")), yesNo(s.GetGracefulRestart()), orDash(s.GetPeerRole()), bfdOf(s), s.GetEstablishedCount(), description(s))
	}
	return t.Flush()
}

// bfdOf is how BFD with the peer is, and how often packets go and come.
func bfdOf(s *vbrv1.BgpSession) table.Cell {
	b := s.GetBfd()
	if b == nil {
		return table.Cell{Text: "-"}
	}
	c := bfdState(b)
	if b.GetState() == "Up" {
		c.Text = fmt.Sprintf("%s %d/%dms x%d", c.Text, b.GetTxInterval(), b.GetRxInterval(), b.GetRemoteDetectMultiplier())
	}
	return c
}

// upDown is how long a session is up or down; "never" when it never was established.
func (p *Page) upDown(s *vbrv1.BgpSession) string {
	if !Established(s) && s.GetEstablishedCount() == 0 {
		return "never"
	}
	return p.age(s.GetSince())
}

func stateOrCount(s *vbrv1.BgpSession) table.Cell {
	if Established(s) {
		return table.Cell{Text: fmt.Sprint(s.GetReceivedRouteCount()), Style: table.Good}
	}
	return table.Cell{Text: State(s.GetBgpStatus()), Style: table.Bad}
}

// State spells a state of RFC 4271 8.2.2 as FRR does.
func State(s string) string {
	switch s {
	case "opensent":
		return "OpenSent"
	case "openconfirm":
		return "OpenConfirm"
	case "":
		return "-"
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// description is why a session is down, and else whose it is.
func description(s *vbrv1.BgpSession) string {
	if !Established(s) && s.GetLastError() != "" {
		return s.GetLastError()
	}
	return s.GetOwner()
}
