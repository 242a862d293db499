package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/credentials"
)

// handshaker finds out who is at the other end: by SO_PEERCRED on the unix socket, by certificate elsewhere; of who came by a door, the door has.
type handshaker struct {
	rules     *rules
	peers     *peers
	tls       credentials.TransportCredentials // nil: no TCP
	firstCall time.Duration
}

// ServerHandshake is as in gRPC's credentials.TransportCredentials.
func (h *handshaker) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	out, id, err := h.shake(raw.(*conn))
	if err != nil {
		h.peers.warn("api: connection refused", "from", raw.RemoteAddr().String(), "err", err)
		return nil, nil, err
	}
	return out, id, nil
}

func (h *handshaker) shake(c *conn) (net.Conn, *identity, error) {
	var out net.Conn = c
	var id *identity
	var err error
	switch raw := c.Conn.(type) {
	case *net.UnixConn:
		id, err = peerOf(raw)
	case *guestConn: // the door knows
		id = &raw.id
	default:
		out, id, err = h.certified(c)
	}
	if err != nil {
		return nil, nil, err
	}
	if id.peer, err = h.peers.take(id.name); err != nil {
		return nil, nil, err
	}
	id.conn, id.caller = c, h.rules.caller(id)
	c.belongsTo(id.peer, h.firstCall)
	return out, id, nil
}

func (h *handshaker) certified(c *conn) (net.Conn, *identity, error) {
	if h.tls == nil {
		return nil, nil, errors.New("no TLS on this listener")
	}
	out, info, err := h.tls.ServerHandshake(c)
	if err != nil {
		return nil, nil, err
	}
	var state tls.ConnectionState
	if t, ok := info.(credentials.TLSInfo); ok {
		state = t.State
	}
	if len(state.VerifiedChains) == 0 || len(state.PeerCertificates) == 0 {
		return nil, nil, errors.New("no verified certificate")
	}
	return out, certIdentity(state.PeerCertificates[0], c.RemoteAddr().String()), nil
}

// peerOf reads who connected, as the kernel noted then (unix(7): SO_PEERCRED, SO_PEERGROUPS).
func peerOf(c *net.UnixConn) (*identity, error) {
	sc, err := c.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("peer credentials: %w", err)
	}
	var cred *unix.Ucred
	var groups []uint32
	var failed error
	err = sc.Control(func(fd uintptr) {
		if cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); failed == nil {
			groups = peerGroups(fd)
		}
	})
	if err = errors.Join(err, failed); err != nil {
		return nil, fmt.Errorf("peer credentials: %w", err)
	}
	return unixIdentity(cred.Uid, cred.Gid, cred.Pid, groups), nil
}

// peerGroups reads the supplementary groups; none where the kernel does not tell (before 4.13).
func peerGroups(fd uintptr) []uint32 {
	const few, most = 64, 65536 // NGROUPS_MAX
	for _, room := range []int{few, most} {
		groups := make([]uint32, room)
		size := uint32(room) * 4
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		if errno == 0 {
			return groups[:size/4]
		}
		if errno != unix.ERANGE {
			return nil
		}
	}
	return nil
}

// ClientHandshake is not for servers.
func (h *handshaker) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("api: server side only")
}

// Info describes the credentials.
func (h *handshaker) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "openvbr"}
}

// Clone returns the same, which holds nothing that changes.
func (h *handshaker) Clone() credentials.TransportCredentials { return h }

// OverrideServerName is for clients.
func (h *handshaker) OverrideServerName(string) error { return nil }
