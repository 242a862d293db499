package api

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/user"
	"strconv"
	"strings"
)

// tcpOwner is the identity of the user whose process has the other end of a TCP connection over the loopback: the kernel's tables of sockets name the
// owner of each (proc_pid_net(5), /proc/net/tcp). The groups are those of /etc/group, not of the process. Through `ssh -L` that is the user who logged in.
func tcpOwner(c *net.TCPConn) (*identity, error) {
	theirs, ours := c.RemoteAddr().(*net.TCPAddr).AddrPort(), c.LocalAddr().(*net.TCPAddr).AddrPort()
	if !theirs.Addr().Unmap().IsLoopback() {
		return nil, fmt.Errorf("%s is not of this host", theirs)
	}
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} { // an IPv6 socket can speak IPv4
		f, err := os.Open(table)
		if errors.Is(err, os.ErrNotExist) {
			continue // a kernel without IPv6
		}
		if err != nil {
			return nil, err
		}
		uid, found, err := socketOwner(f, theirs, ours)
		f.Close()
		if err != nil {
			return nil, err
		}
		if found {
			return userIdentity(uid, theirs.String()), nil
		}
	}
	return nil, fmt.Errorf("no open socket is %s", theirs)
}

// userIdentity is who a uid is, with the groups that the system's files give it.
func userIdentity(uid uint32, from string) *identity {
	var groups []uint32
	gid := ^uint32(0) // nobody's: what is not known is not group 0
	if u, err := user.LookupId(strconv.Itoa(int(uid))); err == nil {
		if g, err := number(u.Gid); err == nil {
			gid = *g
		}
		names, _ := u.GroupIds() // without a file there are none
		for _, n := range names {
			if g, err := number(n); err == nil {
				groups = append(groups, *g)
			}
		}
	}
	id := unixIdentity(uid, gid, 0, groups)
	id.from = from
	return id
}

// socketOwner looks a connection up in a table of sockets, by its addresses as its owner sees them. Only an established connection that still has a
// file has an owner: of others the kernel says uid 0.
func socketOwner(table io.Reader, local, remote netip.AddrPort) (uid uint32, found bool, err error) {
	const stateEstablished = "01" // TCP_ESTABLISHED of include/net/tcp_states.h
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		// sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode ...
		f := strings.Fields(lines.Text())
		if len(f) < 10 || f[3] != stateEstablished || f[9] == "0" {
			continue
		}
		if l, ok := socketAddress(f[1]); !ok || l != unmapped(local) {
			continue
		}
		if r, ok := socketAddress(f[2]); !ok || r != unmapped(remote) {
			continue
		}
		n, err := number(f[7])
		if err != nil {
			return 0, false, fmt.Errorf("uid %q: %w", f[7], err)
		}
		return *n, true, nil
	}
	return 0, false, lines.Err()
}

func unmapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// socketAddress reads an address of a table of sockets: words of 32 bits as the machine has them, in hexadecimal, and the port.
func socketAddress(text string) (netip.AddrPort, bool) {
	words, port, ok := strings.Cut(text, ":")
	raw, err := hex.DecodeString(words)
	n, err2 := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil || err2 != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw); i += 4 { // printed from the most significant byte on
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	a, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(a.Unmap(), uint16(n)), ok
}
