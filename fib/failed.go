package fib

import (
	"errors"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Failure counts what the kernel refused, or what could not be asked of it, for one kind of operation and one errno.
type Failure struct {
	Operation string // see Operations
	Errno     string // see Errnos
	Count     uint64 // since Open
}

// Operations are what failures are counted by: routes; nexthop objects and groups; reading what there is; removing all.
var Operations = [...]string{"route", "nexthop", "dump", "cleanup"}

// errnos are those counted by name, the last stands for all others. The list is short since each pair is a series of metrics.
var errnos = [...]unix.Errno{unix.EEXIST, unix.EINVAL, unix.ENOENT, unix.ENODEV, unix.ENETUNREACH, unix.ENETDOWN, unix.EPERM, unix.ENOBUFS, unix.ENOMEM, 0}

// Errnos are the names that failures are counted by.
func Errnos() (names []string) {
	for _, e := range errnos {
		names = append(names, errnoName(e))
	}
	return names
}

func errnoName(e unix.Errno) string {
	if e == 0 {
		return "other"
	}
	return unix.ErrnoName(e)
}

// failed counts failures by operation and errno.
type failed [len(Operations)][len(errnos)]atomic.Uint64

// The indexes of Operations.
const (
	opRoute = iota
	opNexthop
	opDump
	opCleanup
)

// operationOf is the operation of an exchange, by the name of its fault point.
func operationOf(effect string) int {
	switch effect {
	case "fib.routes":
		return opRoute
	case "fib.cleanup":
		return opCleanup
	}
	return opNexthop
}

func (f *failed) count(op int, e unix.Errno) {
	for i, known := range errnos {
		if known == e || i == len(errnos)-1 {
			f[op][i].Add(1)
			return
		}
	}
}

func (f *failed) countError(op int, err error) {
	e, _ := errors.AsType[unix.Errno](err)
	f.count(op, e)
}

// Failures are the failures since Open: each operation with each errno, those included that never were. Any goroutine may call it.
func (f *FIB) Failures() (out []Failure) {
	for op := range f.count.failed {
		for i := range errnos {
			out = append(out, Failure{Operations[op], errnoName(errnos[i]), f.count.failed[op][i].Load()})
		}
	}
	return out
}
