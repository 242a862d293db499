package wire

import (
	"encoding/binary"
	"fmt"
)

// Message types, RFC 4271 4.1 and RFC 2918.
const (
	Open         = 1
	Update       = 2
	Notification = 3
	Keepalive    = 4
	RouteRefresh = 5
)

const (
	// HeaderLen is the length of a message's header.
	HeaderLen = 19
	// MaxLen is the greatest length of a message without RFC 8654, MaxExtended with it.
	MaxLen, MaxExtended = 4096, 65535
)

// Action is what is to become of a message.
type Action uint8

// Actions, the weakest first (RFC 7606 2).
const (
	Pass     Action = iota // as it is
	Discard                // without some attributes, which were malformed
	Withdraw               // its routes are withdrawn
	Ignore                 // not at all
	Reset                  // the session ends
)

// Verdict is an Action with what is to be said of it.
type Verdict struct {
	Action
	Code, Subcode uint8  // of the NOTIFICATION, RFC 4271 4.5; of a weaker action those that it would have
	Data          []byte // of the NOTIFICATION; may alias the message
	Why           string // for the log; "": nothing is wrong
}

// Error codes of NOTIFICATIONs, RFC 4271 4.5.
const (
	headerError = 1
	openError   = 2
	updateError = 3
	fsmError    = 5
)

func reset(code, subcode uint8, data []byte, format string, args ...any) Verdict {
	return Verdict{Reset, code, subcode, data, fmt.Sprintf(format, args...)}
}

// Header judges the first 19 octets of a message (RFC 4271 6.1, RFC 8654 4) and returns the message's type and whole length.
func Header(h []byte, extended bool) (typ byte, length int, v Verdict) {
	for _, b := range h[:16] {
		if b != 0xff {
			return 0, 0, reset(headerError, 1, nil, "marker is not all ones")
		}
	}
	typ, length = h[18], int(binary.BigEndian.Uint16(h[16:]))
	low, high := HeaderLen, MaxLen
	if extended && typ != Open && typ != Keepalive {
		high = MaxExtended
	}
	switch typ {
	case Open:
		low = 29
	case Update:
		low = 23
	case Notification:
		low = 21
	case Keepalive:
		high = HeaderLen
	case RouteRefresh:
		low = 23
	default:
		if length >= HeaderLen {
			return 0, 0, reset(headerError, 3, h[18:19], "message type %d", typ)
		}
	}
	if length < low || length > high {
		return 0, 0, reset(headerError, 2, h[16:18], "message type %d of length %d", typ, length)
	}
	return typ, length, Verdict{}
}

// Unexpected is the verdict on a message that the state does not allow (RFC 6608): 1 OpenSent, 2 OpenConfirm, 3 Established.
func Unexpected(state, typ byte) Verdict {
	return reset(fsmError, state, []byte{typ}, "unexpected message type %d", typ)
}

// Frame puts a header before a body.
func Frame(typ byte, body []byte) []byte {
	b := make([]byte, HeaderLen, HeaderLen+len(body))
	for i := range 16 {
		b[i] = 0xff
	}
	binary.BigEndian.PutUint16(b[16:], uint16(HeaderLen+len(body)))
	b[18] = typ
	return append(b, body...)
}

// Refresh is a ROUTE-REFRESH of a family, whole (RFC 2918 3).
func Refresh(f Family) []byte {
	return Frame(RouteRefresh, append(binary.BigEndian.AppendUint16(nil, f.AFI), 0, f.SAFI))
}

// BareCease is the subcode of a message that is a Cease (RFC 4486) without data, or 0.
func BareCease(message []byte) (subcode byte) {
	if len(message) == HeaderLen+2 && message[HeaderLen-1] == Notification && message[HeaderLen] == 6 {
		return message[HeaderLen+1]
	}
	return 0
}
