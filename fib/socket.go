package fib

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Kernel opens rtnetlink sockets of one network namespace. [Config] takes another one for tests (package fibtest).
type Kernel interface {
	// Dial opens a socket for requests, with strict checking, extended and capped acknowledgements on.
	Dial() (Socket, error)
	// Monitor opens a socket that receives notifications of links, addresses, nexthop objects, and those of routes that carry
	// the protocol or the metric; what the socket with port number own did itself may be left out.
	Monitor(own uint32, protocol uint8, metric uint32) (Socket, error)
	// SetSysctl writes a file below /proc/sys.
	SetSysctl(name, value string) error
	Close() error
}

// Socket carries whole netlink datagrams. One goroutine uses it at a time, but Close may be called from any.
type Socket interface {
	Send(datagram []byte) error
	// Receive blocks for the next datagram, which is valid until the next call. unix.ENOBUFS means some were lost.
	// After Close it returns os.ErrClosed.
	Receive() ([]byte, error)
	// Drain throws away what waits to be received, without blocking. The kernel answers before Send returns, so what comes later is news.
	Drain()
	Port() uint32 // the netlink port number, which notifications name as their cause
	Close() error
}

// Receive buffer and socket buffer sizes in bytes. The kernel fills at most 32 KiB a datagram in dumps.
const (
	receiveBytes  = 64 << 10
	requestBuffer = 4 << 20
	monitorBuffer = 8 << 20
)

// linux is the real kernel: the network namespace of the thread that made it.
type linux struct {
	ns     *os.File
	buffer int // of requests' sockets, bytes
}

func newLinux() (*linux, error) {
	ns, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, fmt.Errorf("network namespace of this thread: %w", err)
	}
	return &linux{ns: ns, buffer: requestBuffer}, nil
}

func (l *linux) Close() error { return l.ns.Close() }

func (l *linux) Dial() (Socket, error) { return l.dial(l.buffer, nil, nil) }

func (l *linux) Monitor(own uint32, protocol uint8, metric uint32) (Socket, error) {
	groups := []int{
		unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_NEXTHOP, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE,
	}
	return l.dial(monitorBuffer, monitorFilter(own, protocol, metric), groups)
}

func (l *linux) SetSysctl(name, value string) error {
	return l.inside(func() error { return os.WriteFile(filepath.Join("/proc/sys", name), []byte(value), 0o644) })
}

// inside runs do in the namespace. Sockets are usually opened by threads that are there already, and then it needs
// no privilege; otherwise it visits with setns, which needs CAP_SYS_ADMIN.
func (l *linux) inside(do func() error) (err error) {
	runtime.LockOSThread()
	here, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer here.Close()
	if same, err := sameFile(here, l.ns); err != nil || same {
		defer runtime.UnlockOSThread()
		return errors.Join(err, do())
	}
	if err := unix.Setns(int(l.ns.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter network namespace: %w", err)
	}
	err = do()
	if back := unix.Setns(int(here.Fd()), unix.CLONE_NEWNET); back != nil {
		return errors.Join(err, fmt.Errorf("leave network namespace: %w", back)) // the thread stays locked and dies with its goroutine
	}
	runtime.UnlockOSThread()
	return err
}

func sameFile(a, b *os.File) (bool, error) {
	x, err := a.Stat()
	if err != nil {
		return false, err
	}
	y, err := b.Stat()
	return err == nil && os.SameFile(x, y), err
}

func (l *linux) dial(buffer int, filter []unix.SockFilter, groups []int) (Socket, error) {
	var fd int
	err := l.inside(func() (err error) {
		fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := configure(fd, buffer, filter, groups); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return newLinuxSocket(fd)
}

func configure(fd, buffer int, filter []unix.SockFilter, groups []int) error {
	for _, option := range []int{unix.NETLINK_EXT_ACK, unix.NETLINK_CAP_ACK, unix.NETLINK_GET_STRICT_CHK} {
		if err := unix.SetsockoptInt(fd, unix.SOL_NETLINK, option, 1); err != nil {
			return fmt.Errorf("netlink socket option %d: %w", option, err)
		}
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, buffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, buffer) // best effort without CAP_NET_ADMIN
	}
	if filter != nil {
		prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
		if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &prog); err != nil {
			return fmt.Errorf("attach filter: %w", err)
		}
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	for _, g := range groups {
		if err := unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, g); err != nil {
			return fmt.Errorf("join group %d: %w", g, err)
		}
	}
	return nil
}

// linuxSocket is a netlink socket on the runtime's poller, so that Close ends a blocked Receive. Its callbacks are
// made once: a batch allocates nothing.
type linuxSocket struct {
	file       *os.File
	raw        syscall.RawConn
	port       uint32
	in, out    []byte
	n          int
	err        error
	read, send func(fd uintptr) bool
}

func newLinuxSocket(fd int) (*linuxSocket, error) {
	name, err := unix.Getsockname(fd)
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	s := &linuxSocket{file: os.NewFile(uintptr(fd), "rtnetlink"), in: make([]byte, receiveBytes)}
	if nl, ok := name.(*unix.SockaddrNetlink); ok {
		s.port = nl.Pid
	}
	if s.raw, err = s.file.SyscallConn(); err != nil {
		return nil, errors.Join(err, s.file.Close())
	}
	s.read = func(fd uintptr) bool {
		for {
			s.n, s.err = unix.Read(int(fd), s.in)
			if !errors.Is(s.err, unix.EINTR) {
				return !errors.Is(s.err, unix.EAGAIN)
			}
		}
	}
	s.send = func(fd uintptr) bool {
		for {
			_, s.err = unix.Write(int(fd), s.out)
			if !errors.Is(s.err, unix.EINTR) {
				return !errors.Is(s.err, unix.EAGAIN)
			}
		}
	}
	return s, nil
}

func (s *linuxSocket) Port() uint32 { return s.port }
func (s *linuxSocket) Close() error { return s.file.Close() }

func (s *linuxSocket) Send(datagram []byte) error {
	s.out = datagram
	if err := s.raw.Write(s.send); err != nil {
		return err
	}
	return s.err
}

// Drain reads until the queue is empty. Only then the kernel tells of lost answers again (NETLINK_S_CONGESTED, net/netlink/af_netlink.c).
func (s *linuxSocket) Drain() {
	_ = s.raw.Control(func(fd uintptr) {
		for {
			if _, err := unix.Read(int(fd), s.in); errors.Is(err, unix.EAGAIN) || err != nil && !errors.Is(err, unix.ENOBUFS) && !errors.Is(err, unix.EINTR) {
				return
			}
		}
	})
}

func (s *linuxSocket) Receive() ([]byte, error) {
	if err := s.raw.Read(s.read); err != nil {
		return nil, err
	}
	return s.in[:max(s.n, 0)], s.err
}

// monitorFilter drops notifications of our own doing and of routes that are no concern of ours before they take room
// in the socket's buffer. Classic BPF loads are big endian, netlink is in host order.
func monitorFilter(own uint32, protocol uint8, metric uint32) []unix.SockFilter {
	const (
		load8, load16, load32 = unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal, ret            = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_RET | unix.BPF_K
		loadIndexed, toX, imm = unix.BPF_LD | unix.BPF_W | unix.BPF_IND, unix.BPF_MISC | unix.BPF_TAX, unix.BPF_LD | unix.BPF_IMM
		immX                  = unix.BPF_LDX | unix.BPF_IMM
		findAttribute         = uint32(0xfffff000 + 12) // SKF_AD_OFF + SKF_AD_NLATTR: A = offset of attribute X at or after A
	)
	return []unix.SockFilter{
		/*  0 */ {Code: load32, K: 12}, // nlmsg_pid: who caused it
		/*  1 */ {Code: equal, K: networkOrder32(own), Jt: 13},
		/*  2 */ {Code: load16, K: 4}, // nlmsg_type
		/*  3 */ {Code: equal, K: networkOrder16(unix.RTM_NEWROUTE), Jt: 1},
		/*  4 */ {Code: equal, K: networkOrder16(unix.RTM_DELROUTE), Jf: 9},
		/*  5 */ {Code: load8, K: sizeNlmsghdr + 5}, // rtm_protocol
		/*  6 */ {Code: equal, K: uint32(protocol), Jt: 7},
		/*  7 */ {Code: immX, K: unix.RTA_PRIORITY},
		/*  8 */ {Code: imm, K: sizeNlmsghdr + sizeRtmsg},
		/*  9 */ {Code: load32, K: findAttribute},
		/* 10 */ {Code: equal, K: 0, Jt: 4},
		/* 11 */ {Code: toX},
		/* 12 */ {Code: loadIndexed, K: 4},
		/* 13 */ {Code: equal, K: networkOrder32(metric), Jf: 1},
		/* 14 */ {Code: ret, K: 0xffffffff},
		/* 15 */ {Code: ret, K: 0},
	}
}

func networkOrder32(v uint32) uint32 {
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		return v
	}
	return bits.ReverseBytes32(v)
}

func networkOrder16(v uint16) uint32 {
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		return uint32(v)
	}
	return uint32(bits.ReverseBytes16(v))
}
