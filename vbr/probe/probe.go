package probe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Bounds and defaults of a [Check].
const (
	MaxChecks       = 5000
	DefaultInterval = 2 * time.Second // HcRate, as Express Connect advises
	MinInterval     = 100 * time.Millisecond
	MaxInterval     = time.Minute
	DefaultSize     = 56 // as ping(8)
	MinSize         = 8  // the nonce
	MaxSize         = 8972
)

// Check is one target to probe again and again.
type Check struct {
	ID       string        // names the check in its results; unique within a set
	Device   string        // VRF or interface to bind to; "" for none: the main table
	Source   netip.Addr    // of the requests, an address of Device's; the zero Addr leaves it to the kernel
	Target   netip.Addr    // may carry a zone if it is link-local; without one the device is meant
	Interval time.Duration // from request to request; 0 means DefaultInterval
	Timeout  time.Duration // a reply that takes longer is lost; 0 means Interval, which it may not exceed
	Size     int           // payload in bytes; 0 means DefaultSize
}

// Result is what became of one request.
type Result struct {
	Sent time.Time
	RTT  time.Duration // 0 unless OK
	OK   bool
	Err  string // why it is lost: "timeout", or what the kernel said; "" if OK
}

// Handler takes results. It is called from [Prober.Run]'s goroutine, one result at a time, and must not block: while it does, nothing is sent.
type Handler interface {
	Result(id string, r Result)
}

// Prober runs checks. Its methods may be called from any goroutine; Run once.
type Prober struct {
	handler Handler
	log     *slog.Logger
	open    opener

	mu     sync.Mutex
	wanted map[string]Check
	poke   chan struct{} // holds a token when wanted has changed
}

// New makes a Prober without checks. It logs when a socket cannot be had, with the keys device, family and source.
func New(h Handler, log *slog.Logger) *Prober {
	return &Prober{handler: h, log: log, open: openSocket, poke: make(chan struct{}, 1)}
}

// Set says which checks should run, all of them; an empty set stops all. It may be called before and while Run runs, again with the same set too: a check that
// did not change goes on undisturbed. A new or changed one starts at a random moment within its first interval. A check that is not possible is
// left out, and the error says which and why; the others run. One result of a check that is no longer wanted may still come after Set returned.
func (p *Prober) Set(checks []Check) error {
	wanted := make(map[string]Check, len(checks))
	var errs []error
	for _, c := range checks {
		c, err := normal(c)
		if _, twice := wanted[c.ID]; twice && err == nil {
			err = errors.New("there is another of this id")
		}
		if err == nil && len(wanted) == MaxChecks {
			err = fmt.Errorf("there are %d checks already, which is the limit", MaxChecks)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("check %q: %w", c.ID, err))
			continue
		}
		wanted[c.ID] = c
	}
	p.mu.Lock()
	p.wanted = wanted
	p.mu.Unlock()
	select {
	case p.poke <- struct{}{}:
	default:
	}
	return errors.Join(errs...)
}

// Run probes until ctx ends, and then returns nil with all its sockets closed and its goroutines gone.
func (p *Prober) Run(ctx context.Context) error {
	e := newEngine(p)
	defer e.close()
	e.run(ctx)
	return nil
}

// normal fills in the defaults of a check, or says what is wrong with it.
func normal(c Check) (Check, error) {
	c.Source, c.Target = c.Source.Unmap(), c.Target.Unmap()
	if c.Interval == 0 {
		c.Interval = DefaultInterval
	}
	if c.Timeout == 0 {
		c.Timeout = c.Interval
	}
	if c.Size == 0 {
		c.Size = DefaultSize
	}
	switch {
	case c.ID == "":
		return c, errors.New("it has no id")
	case len(c.Device) > 15 || strings.ContainsAny(c.Device, "/ \x00"):
		return c, fmt.Errorf("%q is no device's name", c.Device)
	case !c.Target.IsValid() || c.Target.IsUnspecified() || c.Target.IsMulticast():
		return c, fmt.Errorf("target %v is no unicast address", c.Target)
	case c.Source.IsValid() && c.Source.Is4() != c.Target.Is4():
		return c, fmt.Errorf("source %v and target %v are not of one family", c.Source, c.Target)
	case c.Interval < MinInterval || c.Interval > MaxInterval:
		return c, fmt.Errorf("interval %v is not within %v and %v", c.Interval, MinInterval, MaxInterval)
	case c.Timeout < 0 || c.Timeout > c.Interval:
		return c, fmt.Errorf("timeout %v is not within 0 and the interval %v", c.Timeout, c.Interval)
	case c.Size < MinSize || c.Size > MaxSize:
		return c, fmt.Errorf("size %d is not within %d and %d", c.Size, MinSize, MaxSize)
	}
	return c, nil
}
