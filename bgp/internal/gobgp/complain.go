package gobgp

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/openvbr/openvbr/bgp/internal/wire"
)

// complain logs a verdict on a message. A hostile peer can cause one per message, so each kind is told only now and then.
func (s *Server) complain(peer netip.Addr, v wire.Verdict) {
	level, text := slog.LevelDebug, "update without some attributes"
	switch v.Action {
	case wire.Withdraw:
		level, text = slog.LevelWarn, "malformed update taken for a withdrawal"
	case wire.Ignore:
		text = "message ignored"
	case wire.Reset:
		level, text = slog.LevelWarn, "ending a session: "+notificationText(v.Code, v.Subcode)
	}
	if s.notes.mayRepeat(record{message: text, peer: peer.String()}, time.Now()) {
		s.log.Log(s.run, level, text, "peer", peer, "err", v.Why)
	}
}
