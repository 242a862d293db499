package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Machine is where the numbers come from.
type Machine struct {
	CPU      string  `json:"cpu"`
	Cores    int     `json:"cores"`
	MemoryGB float64 `json:"memory_gb"`
	Kernel   string  `json:"kernel"`
	System   string  `json:"system"`
	Go       string  `json:"go"`
	Load     string  `json:"load"` // before the benchmark began: a busy machine's numbers are worth little
	// NewPage is how many microseconds it takes to touch a page of memory for the first time: what makes user-mode-linux slow.
	NewPage float64 `json:"new_page,omitzero"`
}

func thisMachine() Machine {
	m := Machine{Cores: runtime.NumCPU(), Go: runtime.Version(), CPU: "unknown"}
	m.CPU = field("/proc/cpuinfo", "model name", ":")
	m.System = strings.Trim(field("/etc/os-release", "PRETTY_NAME", "="), `"`)
	if kb, err := strconv.Atoi(strings.TrimSuffix(field("/proc/meminfo", "MemTotal", ":"), " kB")); err == nil {
		m.MemoryGB = float64(kb>>10) / 1024
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	m.NewPage = newPage()
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load = strings.Join(strings.Fields(string(b))[:3], " ")
	}
	return m
}

// newPage touches some pages. 0: it may not.
func newPage() float64 {
	const pages = 2048
	size := os.Getpagesize()
	b, err := unix.Mmap(-1, 0, pages*size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return 0
	}
	_ = unix.Madvise(b, unix.MADV_NOHUGEPAGE) // one page at a time
	begin := time.Now()
	for i := range pages {
		b[i*size] = 1
	}
	took := time.Since(begin)
	_ = unix.Munmap(b)
	return float64(took.Nanoseconds()) / 1000 / pages
}

func field(path, key, separator string) string {
	b, _ := os.ReadFile(path)
	for line := range strings.Lines(string(b)) {
		k, v, ok := strings.Cut(line, separator)
		if ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return "unknown"
}

func (m Machine) String() string {
	s := fmt.Sprintf("%s, %d cores, %.0f GB, Linux %s, %s, %s, load before: %s",
		m.CPU, m.Cores, m.MemoryGB, m.Kernel, m.System, m.Go, m.Load)
	if m.NewPage > 0 {
		s += fmt.Sprintf(", a new page of memory in %.1f µs", m.NewPage)
	}
	return s
}
