package gobgp

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
)

// reasonText says in an operator's words why a session ended or did not come up. message is
// GoBGP's own text, from which only the NOTIFICATION's numbers are taken.
func reasonText(r api.PeerState_DisconnectReason, message string) string {
	switch r {
	case api.PeerState_DISCONNECT_REASON_NOTIFICATION_RECEIVED:
		return "peer closed the session: " + notificationIn(message)
	case api.PeerState_DISCONNECT_REASON_NOTIFICATION_SENT:
		return "closed towards the peer: " + notificationIn(message)
	case api.PeerState_DISCONNECT_REASON_HARD_RESET:
		return "peer closed the session: " + notificationText(6, 9)
	case api.PeerState_DISCONNECT_REASON_HOLD_TIMER_EXPIRED:
		return "hold timer expired: nothing heard from the peer"
	case api.PeerState_DISCONNECT_REASON_READ_FAILED:
		return "connection lost: closed or reset by the peer"
	case api.PeerState_DISCONNECT_REASON_WRITE_FAILED:
		return "connection lost while sending"
	case api.PeerState_DISCONNECT_REASON_GRACEFUL_RESTART:
		return "connection lost, peer may be restarting gracefully"
	case api.PeerState_DISCONNECT_REASON_RESTART_TIMER_EXPIRED:
		return "peer did not come back within its restart time"
	case api.PeerState_DISCONNECT_REASON_INVALID_MSG:
		// GoBGP does not say which, except in OPENSENT.
		return "peer refused the session, or sent something unacceptable, before it was up"
	case api.PeerState_DISCONNECT_REASON_BAD_PEER_AS:
		return "peer's OPEN carries another AS number than configured"
	case api.PeerState_DISCONNECT_REASON_ADMIN_DOWN:
		return "administratively down"
	case api.PeerState_DISCONNECT_REASON_DECONFIGURED:
		return "removed from the configuration"
	default:
		return ""
	}
}

// endingOf is the same for programs.
func endingOf(r api.PeerState_DisconnectReason, message string) (e Ending) {
	switch r {
	case api.PeerState_DISCONNECT_REASON_NOTIFICATION_RECEIVED, api.PeerState_DISCONNECT_REASON_NOTIFICATION_SENT:
		e.Code, e.Subcode, _ = numbersIn(message)
		e.ByPeer = r == api.PeerState_DISCONNECT_REASON_NOTIFICATION_RECEIVED
	case api.PeerState_DISCONNECT_REASON_HARD_RESET:
		e = Ending{Code: 6, Subcode: 9, ByPeer: true}
	case api.PeerState_DISCONNECT_REASON_HOLD_TIMER_EXPIRED:
		e.Code = 4
	case api.PeerState_DISCONNECT_REASON_READ_FAILED, api.PeerState_DISCONNECT_REASON_WRITE_FAILED, api.PeerState_DISCONNECT_REASON_GRACEFUL_RESTART:
		e.Lost = true
	}
	return e
}

// holds tells whether routes are held over a NOTIFICATION of ours when both ends have the N bit (RFC 8538 4): not over a Hard Reset, which GoBGP makes of what
// is for good, nor a change of the peer's configuration, by which they may not be what they were, nor when the peer does not read (RFC 9687).
func (e Ending) holds() bool {
	return e.Code != 0 && e.Code != 8 && (e.Code != cease || e.Subcode != hardReset && e.Subcode != 6)
}

// ended says why a session has ended, or does not come up. GoBGP calls it a graceful restart, whether the connection was just lost, the peer has sent a
// NOTIFICATION or the hold time was over. c may be nil.
func (c *conn) ended(st *apiutil.PeerState) (reason string, e Ending) {
	r, message := st.DisconnectReason, st.DisconnectMessage
	n, notified := c.notified()
	switch {
	case r == api.PeerState_DISCONNECT_REASON_GRACEFUL_RESTART && notified:
		return "peer closed the session, and may be restarting gracefully: " + notificationText(n[0], n[1]), Ending{Code: n[0], Subcode: n[1], ByPeer: true}
	case r == api.PeerState_DISCONNECT_REASON_GRACEFUL_RESTART && c != nil && c.said.Load() == holdTimerExpired:
		r = api.PeerState_DISCONNECT_REASON_HOLD_TIMER_EXPIRED
	}
	reason = reasonText(r, message)
	if r == api.PeerState_DISCONNECT_REASON_HARD_RESET && n[2] != 0 {
		reason += " for " + notificationText(n[2], n[3])
	}
	return reason, endingOf(r, message)
}

// holds tells whether the routes of a session are held that was up: when its connection was lost without a NOTIFICATION (RFC 4724 4.2), and if both ends
// have the N bit also over one, ours or the peer's (RFC 8538 4). So they are when a hold time is over just after we stood still: the peer may be well.
func (x *session) holds(r api.PeerState_DisconnectReason, e Ending, stood bool) bool {
	restart := r == api.PeerState_DISCONNECT_REASON_GRACEFUL_RESTART
	switch {
	case x.gr.Families == 0:
		return false
	case restart && (e.Lost || stood && e.Code == holdTimerExpired):
		return true
	case restart && e.ByPeer:
		return x.gr.Notification && (e.Code != cease || e.Subcode != hardReset)
	}
	return (restart || r == api.PeerState_DISCONNECT_REASON_NOTIFICATION_SENT) && x.gr.Notification && x.configured && e.holds()
}

// notificationIn names the NOTIFICATION in GoBGP's text.
func notificationIn(message string) string {
	code, sub, ok := numbersIn(message)
	if !ok {
		return "unknown notification"
	}
	return notificationText(code, sub)
}

// numbersIn finds "code N(...) subcode M(...)" in GoBGP's text.
func numbersIn(message string) (code, subcode uint8, ok bool) {
	number := func(after string) (uint8, bool) {
		_, rest, ok := strings.Cut(message, after)
		if !ok {
			return 0, false
		}
		end := strings.IndexByte(rest, '(')
		if end < 0 {
			return 0, false
		}
		n, err := strconv.ParseUint(rest[:end], 10, 8)
		return uint8(n), err == nil
	}
	code, ok1 := number(" code ")
	subcode, ok2 := number(" subcode ")
	return code, subcode, ok1 && ok2
}

// notificationText names a NOTIFICATION: RFC 4271 4.5 and 6, RFC 4486, 5492, 6608, 7313, 8538,
// 9384 as in the IANA registry "BGP Error (Notification) Codes".
func notificationText(code, subcode uint8) string {
	name, subs := notificationNames(code)
	if name == "" {
		return fmt.Sprintf("notification %d/%d", code, subcode)
	}
	if int(subcode) < len(subs) && subs[subcode] != "" {
		return name + "/" + subs[subcode]
	}
	if subcode == 0 {
		return name
	}
	return fmt.Sprintf("%s/subcode %d", name, subcode)
}

func notificationNames(code uint8) (name string, subcodes []string) {
	switch code {
	case 1:
		return "message header error", []string{"", "connection not synchronized", "bad message length", "bad message type"}
	case 2:
		return "open message error", []string{
			"", "unsupported version", "bad peer AS", "bad BGP identifier", "unsupported optional parameter",
			"authentication failure", "unacceptable hold time", "unsupported capability", 11: "role mismatch",
		}
	case 3:
		return "update message error", []string{
			"", "malformed attribute list", "unrecognized well-known attribute", "missing well-known attribute",
			"attribute flags error", "attribute length error", "invalid origin", "routing loop",
			"invalid next hop", "optional attribute error", "invalid network field", "malformed AS_PATH",
		}
	case 4:
		return "hold timer expired", nil
	case 5:
		return "finite state machine error", []string{
			"", "unexpected message in opensent", "unexpected message in openconfirm", "unexpected message in established",
		}
	case 6:
		return "cease", []string{
			"", "maximum number of prefixes reached", "administrative shutdown", "peer deconfigured",
			"administrative reset", "connection rejected", "other configuration change",
			"connection collision resolution", "out of resources", "hard reset", "BFD down",
		}
	case 7:
		return "route refresh error", []string{"", "invalid message length"}
	case 8:
		return "send hold timer expired", nil
	default:
		return "", nil
	}
}
