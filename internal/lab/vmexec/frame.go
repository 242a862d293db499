package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"
)

// Inside and outside talk in frames over one serial line: a type, a length
// (32 bit, big-endian) and so many bytes.
const (
	frameReady  = 'r' // inside: the machine is set up, the command starts
	frameStdout = 'o' // inside: bytes
	frameStderr = 'e' // inside: bytes
	frameFailed = 'f' // inside: text: the machine could not be set up
	frameExit   = 'x' // inside: status, 32 bit; the last frame
	frameStdin  = 'i' // outside: bytes for the terminal
	frameSignal = 's' // outside: signal number, 32 bit
	frameSize   = 'w' // outside: rows and columns, 16 bit each
)

// frameMax bounds a frame, so that a broken line is noticed as one.
const frameMax = 64 << 10

// frameWriter writes frames; safe for several goroutines.
type frameWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (f *frameWriter) send(kind byte, payload []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := make([]byte, 5, 5+len(payload))
	b[0] = kind
	binary.BigEndian.PutUint32(b[1:], uint32(len(payload)))
	_, err := f.w.Write(append(b, payload...))
	return err
}

func (f *frameWriter) send32(kind byte, v int) error {
	return f.send(kind, binary.BigEndian.AppendUint32(nil, uint32(v)))
}

// stream is an io.Writer that sends what it is given as frames of a kind.
func (f *frameWriter) stream(kind byte) io.Writer { return streamWriter{f, kind} }

type streamWriter struct {
	f    *frameWriter
	kind byte
}

func (s streamWriter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := min(len(rest), frameMax)
		if err := s.f.send(s.kind, rest[:n]); err != nil {
			return len(p) - len(rest), err
		}
		rest = rest[n:]
	}
	return len(p), nil
}

func readFrame(r io.Reader) (kind byte, payload []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n > frameMax {
		return 0, nil, fmt.Errorf("serial line out of step: frame %q of %d bytes", head[0], n)
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(r, payload)
	return head[0], payload, err
}

func value32(payload []byte) int {
	if len(payload) != 4 {
		return -1
	}
	return int(int32(binary.BigEndian.Uint32(payload)))
}
