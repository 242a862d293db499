package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"github.com/openvbr/openvbr/internal/bench/feed"
	"github.com/openvbr/openvbr/internal/bench/kernel"
)

// The customers of a crowd are a process of their own in their namespace, this program once more: hundreds of sessions are dialled
// without a change of namespace, and its memory and collector are not the observer's.

// customersMode is the first argument that makes this program the customers.
const customersMode = "customers"

// arrival is what the customers say when all have sent all.
type arrival struct {
	Last time.Time `json:"last"` // the last session was up
	Sent time.Time `json:"sent"` // the kernel had taken the last byte
}

// playCustomers is the customers' process. It says "ready", dials, sends, says its arrival as JSON, and holds the sessions until its
// standard input ends. A session that the daemon ends is an error.
func playCustomers(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	var c crowd
	f := flag.NewFlagSet(customersMode, flag.ContinueOnError)
	f.BoolVar(&c.vrf, "vrf", false, "each on a VLAN of its own")
	f.IntVar(&c.size, "size", 1, "`number`")
	f.IntVar(&c.routes, "routes", 100, "of each")
	f.Uint64Var(&c.seed, "seed", 1, "of their tables")
	if err := f.Parse(args); err != nil {
		return err
	}
	updates := make([][]byte, c.size)
	for i, t := range c.tables() {
		n := c.neighbour(i)
		updates[i] = append(t.Updates(n.ASN, n.Remote, 0), feed.EndOfRIB()...)
	}
	fmt.Fprintln(stdout, "ready")
	ctx, stop := context.WithCancelCause(ctx)
	go func() { // ends with the process
		_, _ = io.Copy(io.Discard, stdin)
		stop(nil)
	}()
	var all sync.WaitGroup
	var mu sync.Mutex
	var last, sent time.Time
	for i := range updates {
		all.Go(func() {
			up, done, err := c.play(ctx, i, updates[i], stop)
			if err != nil {
				stop(err)
			}
			mu.Lock()
			defer mu.Unlock()
			last, sent = later(last, up), later(sent, done)
		})
	}
	all.Wait()
	if ctx.Err() == nil {
		_ = json.NewEncoder(stdout).Encode(arrival{last, sent})
	}
	<-ctx.Done()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// play dials as one customer and sends its table; fail is told if the session is lost afterwards.
func (c crowd) play(ctx context.Context, i int, updates []byte, fail func(error)) (up, sent time.Time, err error) {
	n := c.neighbour(i)
	time.Sleep(time.Duration(i) * c.retry() / time.Duration(c.size)) // not all at the same time
	p := feed.Peer{ASN: n.ASN, Local: n.Remote, Remote: n.Local, Retry: c.retry()}
	s, err := p.Dial(ctx, func(f func() error) error { return f() })
	if err != nil {
		return up, sent, err
	}
	go func() { // ends with the process
		<-s.Ended()
		fail(fmt.Errorf("the daemon ended the session of customer %d: %w", i+1, s.Lost()))
	}()
	up = time.Now()
	err = s.Send(updates)
	return up, time.Now(), err
}

// customers are that process.
type customers struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	stdout *bufio.Reader
	stderr bytes.Buffer
	done   chan struct{}
}

// startCustomers starts it in its namespace and returns when it begins to dial.
func startCustomers(c crowd, ns *kernel.Namespace) (*customers, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &customers{done: make(chan struct{})}
	p.cmd = exec.Command(self, customersMode, "-vrf="+strconv.FormatBool(c.vrf), "-size", strconv.Itoa(c.size),
		"-routes", strconv.Itoa(c.routes), "-seed", strconv.FormatUint(c.seed, 10))
	p.cmd.Stderr = &p.stderr
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.stdin, p.stdout, p.cmd.Stdout = stdin, bufio.NewReader(r), w
	err = ns.Do(p.cmd.Start)
	w.Close()
	if err != nil {
		return nil, fmt.Errorf("customers: %w", err)
	}
	go func() { // ends with the process, which stop waits for
		_ = p.cmd.Wait()
		close(p.done)
	}()
	if line, err := p.stdout.ReadString('\n'); line != "ready\n" {
		return nil, fmt.Errorf("customers: %q: %w: %s", line, err, p.stop())
	}
	return p, nil
}

// arrival waits for the word that all has been sent.
func (p *customers) arrival() (a arrival, err error) {
	line, err := p.stdout.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &a)
	}
	return a, err
}

// alive says what ended the process too early.
func (p *customers) alive() error {
	select {
	case <-p.done:
		return fmt.Errorf("the customers have ended: %s", p.stderr.String())
	default:
		return nil
	}
}

// while returns a context that ends with ctx or the process.
func (p *customers) while(ctx context.Context) context.Context {
	ctx, stop := context.WithCancel(ctx)
	go func() { // ends with the process, which stop waits for
		<-p.done
		stop()
	}()
	return ctx
}

// stop ends the process and returns its complaints.
func (p *customers) stop() string {
	_ = p.stdin.Close()
	<-p.done
	return p.stderr.String()
}
