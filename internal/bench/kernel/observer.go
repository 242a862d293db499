package kernel

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Observer watches the main table of one namespace.
//
// It counts by reading the kernel's own statistics of the table (/proc/net/fib_triestat), not by listening to
// notifications: whatever way a route comes or goes, it is counted. Reading costs the kernel a walk through the table without
// a lock that writers wait for; Wait keeps the walks few.
type Observer struct {
	stat *os.File
	nl   *socket
	base int // prefixes that are not the daemon's: connected and local ones
	buf  [8192]byte
}

// Observe opens an observer of the namespace. All routes that are there now are taken for the namespace's own.
func (n *Namespace) Observe() (*Observer, error) {
	o := &Observer{}
	err := n.Do(func() (err error) {
		if o.stat, err = os.Open("/proc/thread-self/net/fib_triestat"); err != nil {
			return err
		}
		o.nl, err = newSocket()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("observe %s: %w", n.Name, err)
	}
	o.base, err = o.prefixes()
	return o, err
}

// Close ends the observer.
func (o *Observer) Close() error { return errors.Join(o.stat.Close(), o.nl.close()) }

// prefixes is what the kernel says of the main trie, which without policy rules also holds the local routes.
func (o *Observer) prefixes() (int, error) {
	n, err := o.stat.ReadAt(o.buf[:], 0)
	if n == 0 {
		return 0, fmt.Errorf("fib_triestat: %w", err)
	}
	lines := bufio.NewScanner(bytes.NewReader(o.buf[:n]))
	for inMain := false; lines.Scan(); {
		line := bytes.TrimSpace(lines.Bytes())
		if bytes.Equal(line, []byte("Main:")) {
			inMain = true
		}
		if v, ok := bytes.CutPrefix(line, []byte("Prefixes:")); ok && inMain {
			return strconv.Atoi(string(bytes.TrimSpace(v)))
		}
	}
	return 0, errors.New("fib_triestat: no count of the main table")
}

// Count is the number of routes that came since Observe.
func (o *Observer) Count() (int, error) {
	n, err := o.prefixes()
	return n - o.base, err
}

// Moment is when Wait saw what it waited for.
type Moment struct {
	At    time.Time     // the end of the look that saw it
	Error time.Duration // it happened at most so long before: something was known to be missing, or left, then
	Looks int           // at the whole table
	Spent time.Duration // in those looks
}

const (
	peek  = 200 * time.Microsecond // pause between two lookups of one prefix
	pause = time.Millisecond       // least pause between two looks at the whole table
)

// Wait waits until the table has exactly want routes. To look at the whole table rarely before it is nearly time, it first looks up one by one
// samples until each is there (or gone, if want is 0), a few microseconds each.
func (o *Observer) Wait(ctx context.Context, want int, samples []netip.Prefix) (Moment, error) {
	last := time.Now()
	for _, p := range samples {
		for {
			begin := time.Now()
			has, err := o.Has(p)
			if err != nil {
				return Moment{}, err
			}
			if has == (want > 0) {
				break
			}
			last = begin
			if err := nap(ctx, peek); err != nil {
				n, _ := o.Count()
				return Moment{}, fmt.Errorf("%d routes of %d, %v missing or left: %w", n, want, p, err)
			}
		}
	}
	return o.look(ctx, want, last)
}

// look looks at the whole table until it is right; last is when it was known not to be.
func (o *Observer) look(ctx context.Context, want int, last time.Time) (m Moment, err error) {
	for {
		begin := time.Now()
		n, err := o.Count()
		m.At = time.Now()
		m.Looks++
		m.Spent += m.At.Sub(begin)
		if err != nil {
			return m, err
		}
		if n == want {
			m.Error = m.At.Sub(last)
			return m, nil
		}
		last = begin
		if err := nap(ctx, max(pause, m.At.Sub(begin)/2)); err != nil {
			return m, fmt.Errorf("%d routes of %d: %w", n, want, err)
		}
	}
}

// nap sleeps in the kernel: the runtime's own timers round up to a millisecond when nothing else goes on.
func nap(ctx context.Context, d time.Duration) error {
	ts := unix.NsecToTimespec(int64(d))
	_ = unix.Nanosleep(&ts, nil)
	return ctx.Err()
}

// Has says whether the kernel's route to the first address of p is p itself.
func (o *Observer) Has(p netip.Prefix) (bool, error) {
	r, err := o.nl.lookup(p.Addr().Next())
	if errors.Is(err, unix.ENETUNREACH) || errors.Is(err, unix.EHOSTUNREACH) {
		return false, nil
	}
	return r.Prefix == p, err
}

// Confirm dumps the table and says whether it holds exactly these prefixes, none by the kernel's own hand.
func (o *Observer) Confirm(want []netip.Prefix) error {
	left := make(map[netip.Prefix]bool, len(want))
	for _, p := range want {
		left[p] = true
	}
	surplus := 0
	err := o.nl.dump(unix.RT_TABLE_MAIN, func(r Route) {
		if r.Protocol == unix.RTPROT_KERNEL || r.Table != unix.RT_TABLE_MAIN {
			return
		}
		if !left[r.Prefix] {
			surplus++
		}
		delete(left, r.Prefix)
	})
	if err != nil {
		return fmt.Errorf("dump: %w", err)
	}
	if surplus > 0 || len(left) > 0 {
		return fmt.Errorf("the dump has %d routes too many and lacks %d", surplus, len(left))
	}
	return nil
}

// Elsewhere counts which of these prefixes the kernel does not send through a device.
func (o *Observer) Elsewhere(prefixes []netip.Prefix, device int) (n int, err error) {
	for _, p := range prefixes {
		out, err := o.nl.egress(p.Addr().Next())
		if err != nil && !errors.Is(err, unix.ENETUNREACH) {
			return 0, err
		}
		if out != device {
			n++
		}
	}
	return n, nil
}
