package vbr

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/openvbr/openvbr/internal/fault"
	"github.com/openvbr/openvbr/internal/sealed"
)

// The directories in StateDir with one file for each router interface.
const (
	qualityDir = "quality"
	usageDir   = "usage"
)

// fileName is a router interface's file: of another owner it is another one, so that nobody is shown what was somebody else's.
func fileName(routerInterface, owner string) string {
	sum := sha256.Sum256([]byte(owner))
	return routerInterface + "." + hex.EncodeToString(sum[:4])
}

func (m *monitor) file(dir string, v *view) string {
	return filepath.Join(m.host.opts.StateDir, dir, fileName(v.ri.name, v.ri.owner))
}

// load reads a file; see sealed.Load.
func load[T any](path string, decode func([]byte) (T, error)) (T, error) {
	return sealed.Load(path, decode)
}

// store writes a file, and makes its directory.
func store(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return fault.Around("state.measured", func() error { return sealed.Write(path, data) })
}

// save writes what has changed since it was last written.
func (m *monitor) save() {
	m.reading.Lock()
	defer m.reading.Unlock()
	var errs []error
	for _, r := range m.host.allRouters() {
		views, _ := r.views()
		for i := range views {
			errs = append(errs, m.saveUsage(&views[i]), m.saveQuality(&views[i]))
		}
	}
	if err := errors.Join(errs...); err != nil {
		m.log.Error("what was measured is not kept", "err", err)
	}
}

func (m *monitor) saveUsage(v *view) error {
	m.mu.Lock()
	x := m.metered[v.ri.name]
	if x == nil || !x.dirty || x.owner != v.ri.owner {
		m.mu.Unlock()
		return nil
	}
	x.dirty = false
	data := x.meter.Marshal()
	m.mu.Unlock()
	err := store(m.file(usageDir, v), data)
	if err != nil {
		m.mu.Lock()
		x.dirty = true
		m.mu.Unlock()
	}
	return err
}

func (m *monitor) saveQuality(v *view) error {
	m.mu.Lock()
	x := m.measured[v.ri.name]
	if x == nil || !x.dirty || x.owner != v.ri.owner {
		m.mu.Unlock()
		return nil
	}
	x.dirty = false
	data := x.history.Marshal()
	m.mu.Unlock()
	return store(m.file(qualityDir, v), data)
}

// pruneFiles removes the files of router interfaces that are not wanted, and those that an earlier owner left. current are those in use.
func (m *monitor) pruneFiles(dir string, wanted func(name string) bool, current map[string]bool) error {
	path := filepath.Join(m.host.opts.StateDir, dir)
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, e := range entries {
		name, _, _ := strings.Cut(e.Name(), ".")
		whole := strings.TrimSuffix(e.Name(), ".damaged")
		if !wanted(name) || len(current) > 0 && !current[whole] && m.knows(name) {
			errs = append(errs, os.Remove(filepath.Join(path, e.Name())))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("vbr: forget what was measured: %w", err)
	}
	return nil
}

func (m *monitor) knows(routerInterface string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.metered[routerInterface] != nil
}
