package fib

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
)

const (
	// Protocol is the rtm_protocol and nh_protocol of what OpenVBR owns.
	Protocol = 86
	// Metric is the RTA_PRIORITY of OpenVBR's routes.
	Metric = 179
)

// Config says what a FIB owns and where. Zero fields mean the defaults.
type Config struct {
	Protocol uint8  // 0: Protocol
	Metric   uint32 // 0: Metric
	// KeepCompatMode leaves net.ipv4.nexthop_compat_mode as it is; otherwise Open sets it to 0.
	KeepCompatMode bool
	Log            *slog.Logger // nil: no log
	Kernel         Kernel       // nil: the network namespace of the thread that calls Open
}

func (c *Config) setDefaults() {
	if c.Protocol == 0 {
		c.Protocol = Protocol
	}
	if c.Metric == 0 {
		c.Metric = Metric
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

// FIB is the part of one network namespace's routing that is ours. All methods may be called from any goroutine.
type FIB struct {
	cfg    Config
	kernel Kernel
	dumps  *pool // sockets for dumps, so that a long dump does not delay writers
	count  counters
	strays atomic.Bool // see Strays

	bulk sync.Mutex // taken before mu by those with many batches, so that Fail waits for one batch at most
	mu   sync.Mutex // guards what follows; held for one batch at most
	req  *requester // the socket and its message buffer
	obj  objects
	tabs map[uint32]*Table

	unsure int // how many tables are: their routes may hang on groups that seem to have none
}

// Open connects to the kernel and reads the nexthop objects a predecessor left behind. It changes nothing but the
// compatibility sysctl. It fails where nexthop objects are unknown; Sets with
// backups need Linux 5.13. Without CAP_NET_ADMIN it is the first write that fails.
func Open(cfg Config) (*FIB, error) {
	cfg.setDefaults()
	kernel := cfg.Kernel
	if kernel == nil {
		k, err := newLinux()
		if err != nil {
			return nil, fmt.Errorf("fib: %w", err)
		}
		kernel = k
	}
	f := &FIB{cfg: cfg, kernel: kernel, tabs: map[uint32]*Table{}, obj: newObjects()}
	sock, err := kernel.Dial()
	if err != nil {
		return nil, fmt.Errorf("fib: rtnetlink socket: %w", errors.Join(err, kernel.Close()))
	}
	f.req = &requester{sock: sock, count: &f.count}
	f.dumps = &pool{dial: kernel.Dial, count: &f.count}
	if err := f.adoptObjects(); err != nil {
		return nil, fmt.Errorf("fib: read nexthop objects: %w", errors.Join(err, f.Close()))
	}
	f.setCompatMode()
	return f, nil
}

func (f *FIB) setCompatMode() {
	const name = "net/ipv4/nexthop_compat_mode"
	if f.cfg.KeepCompatMode {
		f.cfg.Log.Info("nexthop compatibility mode is left alone: with 1 a failover costs time per route", "sysctl", name)
		return
	}
	if err := f.kernel.SetSysctl(name, "0"); err != nil {
		f.cfg.Log.Warn("nexthop compatibility mode cannot be set to 0: a failover costs time per route", "sysctl", name, "err", err)
		return
	}
	f.cfg.Log.Info("nexthop compatibility mode is 0: programs that watch routes see a failover as a change of nexthop objects", "sysctl", name)
}

// Close gives the sockets back and leaves the kernel's routes as they are. No method may be running.
func (f *FIB) Close() error {
	return errors.Join(f.req.sock.Close(), f.dumps.close(), f.kernel.Close())
}

// Table returns the routing table with this id, always the same one. A Table has one user goroutine; different
// tables may be used concurrently.
func (f *FIB) Table(id uint32) *Table {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.tabs[id]
	if t == nil {
		t = newTable(f, id)
		f.tabs[id] = t
	}
	return t
}

// lockBulk takes turns with other writers of many batches, then locks the FIB for one batch.
func (f *FIB) lockBulk() {
	f.bulk.Lock()
	f.mu.Lock()
}

func (f *FIB) unlockBulk() {
	f.mu.Unlock()
	f.bulk.Unlock()
}

// Counters are totals since Open, and the number of nexthop objects now.
type Counters struct {
	Messages uint64 // rtnetlink messages sent, without dump requests
	Batches  uint64 // datagrams they went out in
	Errors   uint64 // messages the kernel refused
	Dumps    uint64 // dumps taken
	Dropped  uint64 // routes the kernel dropped with their nexthop objects, by Fail or by itself
	Gateways int    // gateway objects in the kernel
	Groups   int    // group objects in the kernel
}

type counters struct {
	messages, batches, errors, dumps, dropped atomic.Uint64
	failed                                    failed
}

// Counters returns a snapshot for metrics.
func (f *FIB) Counters() Counters {
	c := Counters{
		Messages: f.count.messages.Load(), Batches: f.count.batches.Load(), Errors: f.count.errors.Load(),
		Dumps: f.count.dumps.Load(), Dropped: f.count.dropped.Load(),
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	c.Gateways, c.Groups = f.obj.living()
	return c
}

// done returns the context's error, if it has ended.
func done(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
