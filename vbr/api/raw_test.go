package api

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// raw speaks HTTP/2 frame by frame.
type raw struct {
	t      *testing.T
	conn   net.Conn
	fr     *http2.Framer
	enc    *hpack.Encoder
	block  bytes.Buffer
	next   uint32
	status map[uint32]string // grpc-status by stream
	reset  map[uint32]http2.ErrCode
}

func newRaw(t *testing.T, network, address string, cfg *tls.Config) *raw {
	t.Helper()
	conn, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	if cfg != nil {
		cfg = cfg.Clone()
		cfg.NextProtos = []string{"h2"}
		conn = tls.Client(conn, cfg)
	}
	return rawOver(t, conn)
}

// rawOver begins HTTP/2 on a connection.
func rawOver(t *testing.T, conn net.Conn) *raw {
	t.Helper()
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	r := &raw{t: t, conn: conn, fr: http2.NewFramer(conn, conn), next: 1, status: map[uint32]string{}, reset: map[uint32]http2.ErrCode{}}
	r.fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	r.enc = hpack.NewEncoder(&r.block)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	if err := r.fr.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return r
}

// open begins a call and returns its stream.
func (r *raw) open(path string) uint32 {
	r.t.Helper()
	r.block.Reset()
	for _, f := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":path", path}, {":authority", "vbrd"}, {"content-type", "application/grpc"}, {"te", "trailers"}} {
		if err := r.enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			r.t.Fatal(err)
		}
	}
	id := r.next
	r.next += 2
	if err := r.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: r.block.Bytes(), EndHeaders: true}); err != nil {
		r.t.Fatal(err)
	}
	return id
}

// send sends a message and ends the request.
func (r *raw) send(id uint32, message []byte) {
	r.t.Helper()
	r.data(id, append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...), true)
}

func (r *raw) data(id uint32, b []byte, end bool) {
	r.t.Helper()
	if err := r.fr.WriteData(id, end, b); err != nil {
		r.t.Fatal(err)
	}
}

// ended reads until the stream has ended and returns its grpc-status, or the name of the reset.
func (r *raw) ended(id uint32) string {
	r.t.Helper()
	for {
		if s, ok := r.status[id]; ok {
			return s
		}
		if c, ok := r.reset[id]; ok {
			return c.String()
		}
		if err := r.read(); err != nil {
			return err.Error()
		}
	}
}

func (r *raw) read() error {
	f, err := r.fr.ReadFrame()
	if err != nil {
		return err
	}
	switch f := f.(type) {
	case *http2.MetaHeadersFrame:
		for _, h := range f.Fields {
			if h.Name == "grpc-status" {
				r.status[f.StreamID] = h.Value
			}
		}
	case *http2.RSTStreamFrame:
		r.reset[f.StreamID] = f.ErrCode
	case *http2.SettingsFrame:
		if !f.IsAck() {
			return r.fr.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			return r.fr.WritePing(true, f.Data)
		}
	}
	return nil
}
