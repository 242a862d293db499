package api

import "time"

// What a caller can use up. docs/security.md lists them.
const (
	// MaxRequest is the longest request, in bytes.
	MaxRequest = 1 << 20
	// MaxResponse is the longest message of a response, in bytes; long answers are streams of small ones.
	MaxResponse = 64 << 20
	// MaxHeaders is the longest header list, in bytes.
	MaxHeaders = 16 << 10
	// MaxStreams is how many calls one connection can have at once.
	MaxStreams = 64
	// MaxConns is how many connections each listener takes.
	MaxConns = 256
	// MaxConnsCaller is how many connections one uid or certificate name can have, and one address before it has shown its certificate.
	MaxConnsCaller = 16
	// MaxRefused is how many calls can be refused for their rate, beyond ten times the rate, before the connection is closed.
	MaxRefused = 1000
	// streamWindow and connWindow are how much of its requests a call, and a connection, may send ahead of being read.
	streamWindow, connWindow = 64 << 10, 512 << 10
	// DefaultRate is how many calls a second a caller can make; twice as many in a burst.
	DefaultRate = 50
)

// Times that are waited for callers.
const (
	// HandshakeTimeout is for TLS and the HTTP/2 preface.
	HandshakeTimeout = 5 * time.Second
	// FirstCallTimeout is from the handshake to the first call.
	FirstCallTimeout = 10 * time.Second
	// IdleTimeout closes a connection without calls.
	IdleTimeout = 5 * time.Minute
	// DefaultDeadline is that of a call with one answer whose caller gave none.
	DefaultDeadline = 30 * time.Second
	// MaxDeadline is the longest that a caller can give such a call.
	MaxDeadline = 60 * time.Second
	// MessageTimeout is for one message of a stream to be taken or to come.
	MessageTimeout = 10 * time.Second
	// KeepaliveTime is when the server asks whether a silent caller still is there, and KeepaliveTimeout how long it waits.
	KeepaliveTime, KeepaliveTimeout = 30 * time.Second, 10 * time.Second
	// MinPing is the least time between a caller's own pings.
	MinPing = 10 * time.Second
	// StopTimeout is how long calls may go on after the server was told to stop.
	StopTimeout = 700 * time.Millisecond
	// killTimeout is how long they have to notice that they were ended.
	killTimeout = 200 * time.Millisecond
	// endTimeout is how long a message in the works has to say why its stream ended.
	endTimeout = 50 * time.Millisecond
)

// limits are the times that tests shorten.
type limits struct {
	firstCall, deadline, maxDeadline, message time.Duration
}

func defaultLimits() limits {
	return limits{firstCall: FirstCallTimeout, deadline: DefaultDeadline, maxDeadline: MaxDeadline, message: MessageTimeout}
}
