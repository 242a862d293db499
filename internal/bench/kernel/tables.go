package kernel

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Content is the routes that a table is to hold.
type Content struct {
	table uint32
	want  map[netip.Prefix]bool
}

// NewContent is of a table with these prefixes; table 254 is the main table.
func NewContent(table uint32, prefixes ...netip.Prefix) Content {
	c := Content{table: table, want: make(map[netip.Prefix]bool, len(prefixes))}
	for _, p := range prefixes {
		c.want[p] = true
	}
	return c
}

// Tables watches many tables of one namespace, which need not exist yet, and the addresses that its devices are given.
type Tables struct {
	nl, news *socket

	Addresses   int       // IPv4 addresses given to devices, as far as Wait or Heard has seen
	LastAddress time.Time // when the last one was seen
}

// Watch opens a watcher of the namespace's tables.
func (n *Namespace) Watch() (*Tables, error) {
	t := &Tables{}
	err := n.Do(func() (err error) {
		if t.nl, err = newSocket(); err != nil {
			return err
		}
		if t.news, err = newSocket(); err != nil {
			return err
		}
		return errors.Join(
			unix.SetsockoptInt(t.news.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20),
			unix.SetsockoptInt(t.news.fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, unix.RTNLGRP_IPV4_IFADDR))
	})
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", n.Name, err)
	}
	return t, nil
}

// Close ends the watcher.
func (t *Tables) Close() error { return errors.Join(t.nl.close(), t.news.close()) }

// Wait waits until every table holds what it is to. It dumps one table at a time, in turns, leaves out those that were right, and rests after each that
// was not: for the given time, or four times as long as the dump took. What was seen in a table is taken to stay; Confirm it afterwards.
func (t *Tables) Wait(ctx context.Context, want []Content, rest time.Duration) (m Moment, err error) {
	last := time.Now()
	for left := slices.Clone(want); len(left) > 0; left = left[1:] {
		look := time.Now()
		missing, _, err := t.look(left[0])
		if err != nil {
			return m, err
		}
		t.hear()
		m.At = time.Now()
		m.Looks++
		m.Spent += m.At.Sub(look)
		if missing == 0 {
			continue
		}
		last = look
		if err := nap(ctx, max(rest, 4*m.At.Sub(look))); err != nil {
			return m, fmt.Errorf("%d of %d tables are not complete, table %d lacks %d routes: %w", len(left), len(want), left[0].table, missing, err)
		}
		left = append(left, left[0])
	}
	m.Error = m.At.Sub(last)
	return m, nil
}

// look dumps a table and counts what it lacks and what it has beside: routes that are neither the kernel's own nor the VRF's
// unreachable default.
func (t *Tables) look(c Content) (missing, surplus int, err error) {
	missing = len(c.want)
	err = t.nl.dump(c.table, func(r Route) {
		switch {
		case r.Table != c.table || r.Protocol == unix.RTPROT_KERNEL || r.Prefix.Bits() == 0:
		case c.want[r.Prefix]:
			missing--
		default:
			surplus++
		}
	})
	if err != nil {
		return 0, 0, fmt.Errorf("dump table %d: %w", c.table, err)
	}
	return missing, surplus, nil
}

// Confirm says whether each table holds exactly what it is to.
func (t *Tables) Confirm(want []Content) error {
	for _, c := range want {
		missing, surplus, err := t.look(c)
		if err != nil {
			return err
		}
		if missing != 0 || surplus != 0 {
			return fmt.Errorf("table %d has %d routes too many and lacks %d", c.table, surplus, missing)
		}
	}
	return nil
}

// Heard is how many IPv4 addresses were given to devices until now.
func (t *Tables) Heard() int {
	t.hear()
	return t.Addresses
}

// hear reads the kernel's news of addresses.
func (t *Tables) hear() {
	for {
		n, _, err := unix.Recvfrom(t.news.fd, t.news.buf, unix.MSG_DONTWAIT)
		if err != nil {
			return
		}
		for b := t.news.buf[:n]; len(b) >= unix.SizeofNlMsghdr; {
			size := int(binary.NativeEndian.Uint32(b))
			if size < unix.SizeofNlMsghdr || size > len(b) {
				break
			}
			if binary.NativeEndian.Uint16(b[4:]) == unix.RTM_NEWADDR {
				t.Addresses++
				t.LastAddress = time.Now()
			}
			b = b[min(align(size), len(b)):]
		}
	}
}
