package feed

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Peer is one end of a session: the source's.
type Peer struct {
	ASN           uint32
	Local, Remote netip.Addr
	// Retry is the pause between two attempts to connect; 0 means 50 ms.
	Retry time.Duration
	// Key is the TCP MD5 key (RFC 2385); empty: none.
	Key string
}

const (
	holdTime  = 240 * time.Second
	keepalive = 30 * time.Second
	answer    = 500 * time.Millisecond // at least, for a connection
	hello     = 20 * time.Second       // for the handshake: with many sessions at once the other side needs its time
	sendSpace = 8 << 20                // socket buffer: the kernel, not we, waits for the receiver
)

// Session is an established BGP session.
type Session struct {
	conn net.Conn
	wg   sync.WaitGroup
	stop chan struct{}
	once sync.Once

	mu   sync.Mutex // guards writing
	lost error      // why the other side ended it, guarded by dead
	dead chan struct{}
}

// Dial opens a session to port 179 and tries again until ctx ends. in runs a function in the network namespace of the source.
func (p Peer) Dial(ctx context.Context, in func(func() error) error) (*Session, error) {
	for {
		var s *Session
		err := in(func() (err error) {
			s, err = p.try(ctx)
			return err
		})
		if err == nil {
			return s, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("session %v to %v: %w (last: %w)", p.Local, p.Remote, ctx.Err(), err)
		case <-time.After(cmp.Or(p.Retry, 50*time.Millisecond)):
		}
	}
}

func (p Peer) try(ctx context.Context) (*Session, error) {
	d := net.Dialer{Timeout: max(p.Retry, answer), LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(p.Local, 0)), Control: p.prepare}
	conn, err := d.DialContext(ctx, "tcp4", netip.AddrPortFrom(p.Remote, 179).String())
	if err != nil {
		return nil, err
	}
	if err := p.handshake(conn); err != nil {
		conn.Close()
		return nil, err
	}
	s := &Session{conn: conn, stop: make(chan struct{}), dead: make(chan struct{})}
	s.wg.Go(s.read)
	s.wg.Go(s.keepalives)
	return s, nil
}

// prepare has the packets of a socket leave with TTL 255, as vbrd wants them (RFC 5082), and gives it the key before it connects.
func (p Peer) prepare(_, _ string, c syscall.RawConn) (err error) {
	return errors.Join(c.Control(func(fd uintptr) {
		if err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TTL, 255); err == nil && p.Key != "" {
			err = p.sign(int(fd))
		}
	}), err)
}

func (p Peer) sign(fd int) error {
	var sig unix.TCPMD5Sig
	sig.Keylen = uint16(copy(sig.Key[:], p.Key))
	sig.Addr.Family = unix.AF_INET
	a := p.Remote.As4()
	copy(sig.Addr.Data[2:], a[:]) // behind the port, as in sockaddr_in
	return unix.SetsockoptTCPMD5Sig(fd, unix.IPPROTO_TCP, unix.TCP_MD5SIG, &sig)
}

func (p Peer) handshake(conn net.Conn) error {
	if err := conn.(*net.TCPConn).SetWriteBuffer(sendSpace); err != nil {
		return err
	}
	if err := conn.SetDeadline(time.Now().Add(hello)); err != nil {
		return err
	}
	if _, err := conn.Write(open(p.ASN, p.Local, uint16(holdTime/time.Second))); err != nil {
		return err
	}
	if err := expect(conn, msgOpen); err != nil {
		return err
	}
	if _, err := conn.Write(appendHeader(nil, msgKeepalive, 0)); err != nil {
		return err
	}
	if err := expect(conn, msgKeepalive); err != nil {
		return err
	}
	return conn.SetDeadline(time.Time{})
}

func expect(conn net.Conn, want byte) error {
	typ, body, err := message(conn)
	if err != nil {
		return err
	}
	if typ != want {
		return fmt.Errorf("message type %d %x instead of %d", typ, body, want)
	}
	return nil
}

func message(r io.Reader) (typ byte, body []byte, err error) {
	var h [headerLen]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return 0, nil, err
	}
	n := int(binary.BigEndian.Uint16(h[16:]))
	if n < headerLen {
		return 0, nil, errors.New("message shorter than its header")
	}
	body = make([]byte, n-headerLen)
	_, err = io.ReadFull(r, body)
	return h[18], body, err
}

// read throws away what the other side says, unless it says goodbye.
func (s *Session) read() {
	defer close(s.dead)
	for {
		typ, body, err := message(s.conn)
		if err == nil && typ == msgNotification {
			err = fmt.Errorf("NOTIFICATION %x", body)
		}
		if err != nil {
			s.lost = err
			return
		}
	}
}

func (s *Session) keepalives() {
	t := time.NewTicker(keepalive)
	defer t.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-t.C:
			_ = s.Send(appendHeader(nil, msgKeepalive, 0))
		}
	}
}

// Send writes bytes and returns when the kernel has taken all.
func (s *Session) Send(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.conn.Write(b); err != nil {
		return fmt.Errorf("send: %w", errors.Join(err, s.Lost()))
	}
	return nil
}

// Ended is closed when the other side has ended the session, or Close has.
func (s *Session) Ended() <-chan struct{} { return s.dead }

// Lost is why the other side ended the session, nil while it lives.
func (s *Session) Lost() error {
	select {
	case <-s.dead:
		return s.lost
	default:
		return nil
	}
}

// Close closes the TCP connection without a word of BGP.
func (s *Session) Close() {
	s.once.Do(func() {
		close(s.stop)
		s.conn.Close()
		s.wg.Wait()
	})
}
