package fib

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// RouteError says why the kernel does not hold a route as asked. It unwraps to its Errno.
type RouteError struct {
	Op     string // add, replace, remove
	Prefix netip.Prefix
	Table  uint32
	Errno  unix.Errno
	Text   string // the kernel's own words (extended acknowledgement), or ours
	// NextHop is the gateway whose object could not be made, if that is the reason; it is in Text already.
	NextHop NextHop
	Holder  uint8 // with EEXIST: the protocol of the foreign route at our metric, 0 if unknown
}

func (e *RouteError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s table %d: %s", e.Op, e.Prefix, e.Table, e.Errno)
	if e.Text != "" {
		b.WriteString(": " + e.Text)
	}
	if e.Holder != 0 {
		b.WriteString(": held by protocol " + protocolName(e.Holder))
	}
	return b.String()
}

func (e *RouteError) Unwrap() error { return e.Errno }

// Retry says when trying the same change again can help.
type Retry uint8

const (
	RetryNever   Retry = iota // the change itself is wrong, or a privilege is missing
	RetrySoon                 // the kernel was short of something
	RetryOnLink               // when a link, an address or a gateway (Restore) comes back
	RetryOnRoute              // when the foreign route in our place is gone
)

func (r Retry) String() string {
	return [...]string{"never", "soon", "on link", "on route"}[r]
}

// Retry classifies the error by its errno.
func (e *RouteError) Retry() Retry {
	switch e.Errno {
	case unix.EEXIST:
		return RetryOnRoute
	case unix.ENETUNREACH, unix.EHOSTUNREACH, unix.ENETDOWN, unix.ENODEV, unix.EADDRNOTAVAIL, unix.ENOENT, unix.ENXIO:
		return RetryOnLink
	case unix.EINVAL: // of a gateway: no such device, or an address of ours until it moves away
		if e.NextHop.valid() {
			return RetryOnLink
		}
	case unix.EBUSY, unix.ENOBUFS, unix.ENOMEM, unix.EAGAIN, unix.EINTR, unix.ENOSPC, unix.EIO:
		return RetrySoon
	}
	return RetryNever
}

// hopError says which gateway is not to be had, and why.
type hopError struct {
	nh  NextHop
	err error
}

func (e *hopError) Error() string { return "next hop " + e.nh.String() + ": " + e.err.Error() }
func (e *hopError) Unwrap() error { return e.err }

// routeError turns any error of the layers below into a RouteError.
func routeError(op string, p netip.Prefix, table uint32, err error) *RouteError {
	e := &RouteError{Op: op, Prefix: p, Table: table, Errno: unix.EIO, Text: err.Error()}
	var a answer
	var errno unix.Errno
	var hop *hopError
	if errors.As(err, &hop) {
		e.NextHop = hop.nh
	}
	switch {
	case errors.As(err, &a):
		e.Errno = a.errno
		e.Text = strings.TrimPrefix(strings.Replace(err.Error(), a.Error(), a.text, 1), ": ")
	case errors.As(err, &errno):
		e.Errno = errno
		e.Text = strings.TrimSuffix(strings.TrimSuffix(err.Error(), errno.Error()), ": ")
	}
	return e
}

// protocolName names a route protocol as /etc/iproute2/rt_protos does, with its number.
func protocolName(p uint8) string {
	name, ok := map[uint8]string{
		unix.RTPROT_REDIRECT: "redirect", unix.RTPROT_KERNEL: "kernel", unix.RTPROT_BOOT: "boot", unix.RTPROT_STATIC: "static",
		unix.RTPROT_RA: "ra", unix.RTPROT_DHCP: "dhcp", unix.RTPROT_ZEBRA: "zebra", unix.RTPROT_BIRD: "bird",
		unix.RTPROT_BGP: "bgp", unix.RTPROT_ISIS: "isis", unix.RTPROT_OSPF: "ospf", unix.RTPROT_RIP: "rip",
	}[p]
	if !ok {
		return strconv.Itoa(int(p))
	}
	return name + " (" + strconv.Itoa(int(p)) + ")"
}
