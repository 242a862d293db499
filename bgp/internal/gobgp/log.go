package gobgp

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// repeatAfter is how often the same complaint about the same peer reaches the operator: a
// hostile peer can cause one per message.
const repeatAfter = 10 * time.Second

// logHandler takes GoBGP's log. Nearly all goes to debug level: session changes reach the
// operator through the speaker's handler. A few lines GoBGP gives in no other way, and those
// are passed on, or noted as the reason why a session does not come up.
type logHandler struct {
	next  slog.Handler
	notes *notes
	peer  string // the neighbour a logger was made for, "" for the server's own
	hooks
}

// hooks are called where GoBGP logs, on the goroutine that does what it logs.
type hooks struct {
	up    func(peer string)        // a session is about to be established
	state func(peer, state string) // a state machine goes on to another state
}

func (h *hooks) call(r *record) {
	switch {
	case r.message == msgPeerUp:
		h.up(r.peer)
	case r.message == msgState:
		h.state(r.peer, r.next)
	}
}

// Enabled implements slog.Handler. GoBGP logs at debug level for every route and UPDATE: that
// costs something even when it goes nowhere, so debug is on only where it is wanted or where a
// session that is down may tell why.
func (h *logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	if level >= slog.LevelInfo {
		return true
	}
	return h.next.Enabled(ctx, slog.LevelDebug) || h.peer != "" && !h.notes.isUp(h.peer)
}

// WithAttrs implements slog.Handler: GoBGP names the neighbour in the attribute "Key".
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	for _, a := range attrs {
		if a.Key == "Key" {
			c.peer = a.Value.String()
		}
	}
	return &c
}

// WithGroup implements slog.Handler. GoBGP opens no groups.
func (h *logHandler) WithGroup(string) slog.Handler { return h }

// Handle implements slog.Handler.
func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	rec := readRecord(h.peer, r)
	h.notes.take(rec)
	h.call(&rec)
	level := levelFor(rec.message)
	if !h.next.Enabled(ctx, level) || level > slog.LevelDebug && !h.notes.mayRepeat(rec, r.Time) {
		return nil
	}
	out := slog.NewRecord(r.Time, level, "gobgp: "+rec.message, r.PC)
	if rec.peer != "" {
		out.AddAttrs(slog.String("peer", rec.peer))
	}
	if rec.err != "" {
		out.AddAttrs(slog.String("err", rec.err))
	}
	if level == slog.LevelDebug {
		out.AddAttrs(rec.rest...)
	}
	return h.next.Handle(ctx, out)
}

// levelFor is the level at which a message of GoBGP reaches the operator.
func levelFor(message string) slog.Level {
	switch message {
	case "failed to serialize":
		return slog.LevelError
	case "Some attributes were discarded",
		"the received Update message was treated as withdraw",
		"Session will be reset due to malformed BGP Header",
		"Session will be reset due to malformed BGP message",
		"Session will be reset due to malformed BGP update message",
		"cannot set TTL":
		return slog.LevelWarn
	default:
		return slog.LevelDebug
	}
}

// Messages of GoBGP that are read, not only passed on.
const (
	msgSentNotify     = "sent notification"
	msgReceivedNotify = "received notification"
	msgHoldExpired    = "hold timer expired"
	msgPeerUp         = "Peer Up"
	msgPeerDown       = "Peer Down"
	msgState          = "state changed"
)

type record struct {
	message, peer, err string
	code, subcode      uint8
	said               string // RFC 9003: what the operator at the other end wrote
	next               string // msgState: the new one
	rest               []slog.Attr
}

func readRecord(peer string, r slog.Record) record {
	rec := record{message: r.Message, peer: peer}
	var topic, key string
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "Topic":
			topic = a.Value.String()
		case "Key":
			key = a.Value.String()
		case "Error", "Err":
			rec.err = a.Value.String()
		case "Code":
			rec.code = uint8(a.Value.Int64())
		case "Subcode":
			rec.subcode = uint8(a.Value.Int64())
		case "new":
			rec.next = a.Value.String()
			rec.rest = append(rec.rest, a)
		case "Communicated-Reason":
			rec.said = a.Value.String()
		default:
			rec.rest = append(rec.rest, a)
		}
		return true
	})
	switch {
	case key == "":
	case topic == "Table":
		rec.rest = append(rec.rest, slog.String("prefix", key))
	default:
		rec.peer = key
	}
	return rec
}

// notes is what the log told about each neighbour.
type notes struct {
	mu    sync.Mutex
	peers map[string]*note
}

type note struct {
	up     bool
	last   string // the latest reason found in the log; cleared when the session comes up or ends
	said   string // the peer's shutdown communication, taken by the event that follows
	held   bool   // our hold timer expired
	cause  string // why the session was ended here, taken by the event that follows
	warned map[string]time.Time
}

func (n *notes) get(peer string) *note {
	if n.peers == nil {
		n.peers = map[string]*note{}
	}
	p := n.peers[peer]
	if p == nil {
		p = &note{}
		n.peers[peer] = p
	}
	return p
}

func (n *notes) take(r record) {
	switch r.message {
	case msgPeerUp, msgPeerDown, msgSentNotify, msgReceivedNotify, msgHoldExpired:
	default:
		return // also keeps out the addresses of strangers, which have no end
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.get(r.peer)
	switch r.message {
	case msgPeerUp, msgPeerDown:
		p.up = r.message == msgPeerUp // before the events tell, which can take long
	case msgSentNotify:
		p.last = "closed towards the peer: " + notificationText(r.code, r.subcode)
	case msgReceivedNotify:
		p.last = "peer closed the session: " + notificationText(r.code, r.subcode)
		p.said = r.said
	case msgHoldExpired:
		p.held = true
	}
}

// mayRepeat limits how often one complaint about one peer is passed on.
func (n *notes) mayRepeat(r record, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.get(r.peer)
	if t, ok := p.warned[r.message]; ok && now.Sub(t) < repeatAfter {
		return false
	}
	if p.warned == nil {
		p.warned = map[string]time.Time{}
	}
	p.warned[r.message] = now
	return true
}

func (n *notes) isUp(peer string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.peers[peer]
	return p != nil && p.up
}

func (n *notes) setUp(peer string, up bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.get(peer)
	p.up, p.last = up, "" // the event that calls says more than the log did
	if up {
		p.said, p.held, p.cause = "", false, ""
	}
}

// lastReason is the latest reason found in the log for a session that is down.
func (n *notes) lastReason(peer string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.get(peer).last
}

// refine adds to a reason what only the log tells, and forgets it.
func (n *notes) refine(peer, reason string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.get(peer)
	switch {
	case p.cause != "":
		reason = p.cause
	case p.held:
		reason = "hold timer expired: nothing heard from the peer"
	}
	if p.said != "" {
		reason = fmt.Sprintf("%s (%q)", reason, p.said)
	}
	p.said, p.held, p.cause = "", false, ""
	return reason
}

// failed notes why a connection that GoBGP knows nothing of came to nothing.
func (n *notes) failed(peer, reason string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.get(peer).last = reason
}

// blame notes why a session that is not up was ended here: GoBGP will only see a broken connection.
func (n *notes) blame(peer, reason string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.get(peer).cause = reason
}

func (n *notes) forget(peer string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.peers, peer)
}
