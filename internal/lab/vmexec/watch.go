package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// endings are the reasons to end a job from outside.
type endings struct {
	signals <-chan syscall.Signal
	over    <-chan string // deadline reached, parent gone: no grace any more
}

// quitGrace is how long a job may print its goroutines after the deadline's
// SIGQUIT before it is ended.
const quitGrace = 5 * time.Second

// watchdog reports signals, the deadline (0: none) and the parent's death
// until ctx ends. The deadline counts from the job's start; at it the job
// first gets SIGQUIT, upon which Go programs say what they were doing.
func watchdog(ctx context.Context, started <-chan struct{}, deadline time.Duration) endings {
	raw := make(chan os.Signal, 8)
	signal.Notify(raw, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGHUP, syscall.SIGWINCH)
	signals, over := make(chan syscall.Signal), make(chan string)
	go watch(ctx, started, deadline, raw, signals, over)
	return endings{signals, over}
}

func watch(ctx context.Context, started <-chan struct{}, deadline time.Duration, raw chan os.Signal, signals chan<- syscall.Signal, over chan<- string) {
	defer signal.Stop(raw)
	give := func(s syscall.Signal) {
		select {
		case signals <- s:
		case <-ctx.Done():
		}
	}
	end := func(why string) {
		select {
		case over <- why:
		case <-ctx.Done():
		}
	}
	var quit, kill <-chan time.Time
	if deadline <= 0 {
		started = nil
	}
	parent := os.Getppid()
	poll := time.NewTicker(500 * time.Millisecond)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-raw:
			give(s.(syscall.Signal))
		case <-started:
			started, quit = nil, time.After(deadline)
		case <-quit:
			give(syscall.SIGQUIT)
			quit, kill = nil, time.After(quitGrace)
		case <-kill:
			end(fmt.Sprintf("the command did not end within %v", deadline))
		case <-poll.C:
			if now := os.Getppid(); now != parent {
				end("the parent process is gone")
			}
		}
	}
}
