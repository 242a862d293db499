// Package cputest measures what a test costs, whatever else the machine does.
package cputest

import (
	"syscall"
	"testing"
	"time"
)

// Used is the processor time that this process has used, as getrusage(2) has it.
func Used(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
