package store

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// watchers are the channels that Watch gave out.
type watchers struct {
	mu  sync.Mutex
	all map[chan struct{}]bool
}

func (w *watchers) add(ctx context.Context) <-chan struct{} {
	c := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all == nil {
		w.all = make(map[chan struct{}]bool)
	}
	w.all[c] = true
	context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.all, c)
		close(c)
	})
	return c
}

// poke never waits: a watcher that has not taken its last poke will look anyway.
func (w *watchers) poke() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.all {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// health is what Problem tells.
type health struct {
	mu    sync.Mutex
	err   error
	since time.Time
}

// set notes the outcome of a call. It says whether the store works again.
func (h *health) set(err error) (recovered bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	recovered = h.err != nil && err == nil
	if h.err == nil && err != nil {
		h.since = time.Now()
	}
	h.err = err
	return recovered
}

// last is the last outcome.
func (h *health) last() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

// problem is such as "etcd https://192.0.2.1:2379 does not work since 2026-01-02T03:04:05Z: connection refused".
func (h *health) problem(what string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err == nil {
		return ""
	}
	return fmt.Sprintf("%s since %s: %v", what, h.since.UTC().Format(time.RFC3339), h.err)
}
