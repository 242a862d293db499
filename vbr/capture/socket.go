package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// receiveBuffer in octets is what the kernel keeps of a device's packets until they are taken; its own accounting is part of it.
const receiveBuffer = 4 << 20

// socket hears one device.
type socket struct {
	device  string
	index   int // of the device
	fd      int
	dropped uint64
}

// listen opens a socket that hears what the program takes of a device's packets, both those that come in and those that go out.
func listen(device string, program []bpf.RawInstruction) (*socket, error) {
	// Without a protocol it hears nothing yet (packet(7)); so no packet of another device, or that the filter rejects, is ever in it.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("packet socket: %w", err)
	}
	s := &socket{device: device, fd: fd}
	if err := s.setUp(program); err != nil {
		s.close()
		return nil, fmt.Errorf("packet socket on %s: %w", device, err)
	}
	return s, nil
}

func (s *socket) setUp(program []bpf.RawInstruction) error {
	filter := make([]unix.SockFilter, len(program))
	for i, x := range program {
		filter[i] = unix.SockFilter{Code: x.Op, Jt: x.Jt, Jf: x.Jf, K: x.K}
	}
	fprog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.SetsockoptSockFprog(s.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &fprog); err != nil {
		return fmt.Errorf("filter: %w", err)
	}
	if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer); err != nil { // needs CAP_NET_ADMIN
		if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer); err != nil {
			return fmt.Errorf("buffer: %w", err)
		}
	}
	if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS_NEW, 1); err != nil {
		return fmt.Errorf("time stamps: %w", err)
	}
	if err := unix.SetsockoptInt(s.fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1); err != nil {
		return fmt.Errorf("auxiliary data: %w", err)
	}
	var err error
	if s.index, err = s.lookUp(); err != nil {
		return err
	}
	return unix.Bind(s.fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: s.index})
}

func networkOrder(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}

// lookUp asks the kernel for the index of the device of that name, in the socket's network namespace.
func (s *socket) lookUp() (int, error) {
	req, err := unix.NewIfreq(s.device)
	if err != nil {
		return 0, err
	}
	err = unix.IoctlIfreq(s.fd, unix.SIOCGIFINDEX, req)
	return int(req.Uint32()), err
}

func (s *socket) close() { unix.Close(s.fd) }

// lost counts what found the buffer full, from the beginning on.
func (s *socket) lost() uint64 {
	if st, err := unix.GetsockoptTpacketStats(s.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS); err == nil {
		s.dropped += uint64(st.Drops) // the kernel begins anew each time
	}
	return s.dropped
}

// errEmpty says that no packet waits.
var errEmpty = errors.New("no packet")

// read takes a packet, whose data are the buffer's. The error is errEmpty if none waits.
func (s *socket) read(buf, oob []byte) (Packet, error) {
	for {
		n, oobn, _, _, err := unix.Recvmsg(s.fd, buf, oob, 0)
		switch {
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.ENETDOWN): // down: it is heard again once it is up
			continue
		case errors.Is(err, unix.EAGAIN):
			return Packet{}, errEmpty
		case err != nil:
			return Packet{}, fmt.Errorf("read from %s: %w", s.device, err)
		}
		p := Packet{Time: time.Now(), Length: n, Data: buf[:n]}
		if p.note(oob[:oobn]) { // a tag that came in spite of untagged
			continue
		}
		return p, nil
	}
}

// note takes in what the kernel says of the packet, and tells whether it had a VLAN tag.
func (p *Packet) note(oob []byte) (tagged bool) {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return true
	}
	for _, m := range msgs {
		switch h := m.Header; {
		case h.Level == unix.SOL_SOCKET && h.Type == unix.SO_TIMESTAMPNS_NEW && len(m.Data) >= 16:
			p.Time = time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:])))
		case h.Level == unix.SOL_PACKET && h.Type == unix.PACKET_AUXDATA && len(m.Data) >= 8: // struct tpacket_auxdata: tp_status, tp_len, ...
			tagged = binary.NativeEndian.Uint32(m.Data)&unix.TP_STATUS_VLAN_VALID != 0
			p.Length = int(binary.NativeEndian.Uint32(m.Data[4:]))
		}
	}
	return tagged
}
