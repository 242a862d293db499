package vbr

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"

	"github.com/google/renameio/v2"

	"github.com/openvbr/openvbr/internal/fault"
)

// ids gives numbers to names and remembers them in a file, so that a router has the same table, and a router
// interface the same route distinguisher, after every restart and reboot. Its methods may be called from several goroutines.
type ids struct {
	file string // empty: nothing is written
	base uint32 // the first table

	mu    sync.Mutex // guards all below
	batch bool       // changes are written at its end
	dirty bool       // there are changes to write

	// Tables are routing table ids by router, RDs the second halves of route distinguishers by router interface.
	Tables map[string]uint32 `json:"tables"`
	RDs    map[string]uint16 `json:"rds"`
}

// errRecord is a failure that may pass, as a full disk does.
var errRecord = errors.New("vbr: write the record of ids")

// loadIDs reads the record; a missing file is an empty one, a damaged one an error: guessing could give one customer another's table.
func loadIDs(dir string, base uint32) (*ids, error) {
	x := &ids{file: filepath.Join(dir, "ids.json"), base: base, Tables: map[string]uint32{}, RDs: map[string]uint16{}}
	b, err := os.ReadFile(x.file)
	if errors.Is(err, fs.ErrNotExist) {
		return x, os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		return nil, fmt.Errorf("vbr: read the record of ids: %w", err)
	}
	if err := json.Unmarshal(b, x); err != nil {
		return nil, fmt.Errorf("vbr: the record of ids %s is damaged: %w; restore it, or remove it together with all devices by `vbrd --cleanup`", x.file, err)
	}
	if x.Tables == nil || x.RDs == nil { // "null" by somebody's hand
		return nil, fmt.Errorf("vbr: the record of ids %s is damaged: no tables or rds; restore it, or remove it together with all devices by `vbrd --cleanup`", x.file)
	}
	return x, nil
}

// save writes the record, now or at the end of the batch; mu is held.
func (x *ids) save() error {
	if x.dirty = x.batch; x.batch || x.file == "" {
		return nil
	}
	b, err := json.MarshalIndent(x, "", "  ")
	if err != nil {
		return err
	}
	if err := fault.Around("state.ids", func() error { return renameio.WriteFile(x.file, append(b, '\n'), 0o644) }); err != nil {
		return fmt.Errorf("%w: %w", errRecord, err)
	}
	return nil
}

// together runs f and writes at its end, once, what it changed. When that fails, the record is what it was before.
func (x *ids) together(f func()) error {
	x.mu.Lock()
	tables, rds := maps.Clone(x.Tables), maps.Clone(x.RDs)
	x.batch = true
	x.mu.Unlock()
	f()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.batch = false
	if !x.dirty {
		return nil
	}
	err := x.save()
	if err != nil {
		x.Tables, x.RDs = tables, rds
	}
	return err
}

// draft is a copy to try things on: it writes nothing.
func (x *ids) draft() *ids {
	x.mu.Lock()
	defer x.mu.Unlock()
	return &ids{base: x.base, Tables: maps.Clone(x.Tables), RDs: maps.Clone(x.RDs)}
}

// tableOf returns the table that is recorded for the router, 0 for none.
func (x *ids) tableOf(router string) uint32 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.Tables[router]
}

// table returns the router's table: the one it asks for (the main one in the default VRF), the one it had, or the lowest free one from the base.
func (x *ids) table(router string, asked uint32) (uint32, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	had, known := x.Tables[router]
	if asked == 0 && known && had != mainTable { // it was in the default VRF and no longer is
		return had, nil
	}
	taken := make(map[uint32]string, len(x.Tables))
	for name, t := range x.Tables {
		if name != router {
			taken[t] = name
		}
	}
	table := asked
	if asked == 0 {
		for table = x.base; taken[table] != "" || table >= 253 && table <= 255; table++ {
		}
	}
	if owner := taken[table]; owner != "" {
		return 0, fmt.Errorf("route_table_id %d is recorded for router %s in %s; choose another", table, owner, x.file)
	}
	x.Tables[router] = table
	return table, x.save()
}

// rd returns the router interface's number, the one it had or the lowest free one from 1.
func (x *ids) rd(ri string) (uint16, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if n, known := x.RDs[ri]; known {
		return n, nil
	}
	taken := make(map[uint16]bool, len(x.RDs))
	for _, n := range x.RDs {
		taken[n] = true
	}
	for n := 1; n <= 65535; n++ {
		if !taken[uint16(n)] {
			x.RDs[ri] = uint16(n)
			return uint16(n), x.save()
		}
	}
	return 0, fmt.Errorf("router interface %s: all 65535 route distinguishers of this host are taken", ri)
}

// keep forgets the routers and router interfaces that are no longer wanted.
func (x *ids) keep(wanted func(name string) bool) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := len(x.Tables) + len(x.RDs)
	for name := range x.Tables {
		if !wanted(name) {
			delete(x.Tables, name)
		}
	}
	for name := range x.RDs {
		if !wanted(name) {
			delete(x.RDs, name)
		}
	}
	if len(x.Tables)+len(x.RDs) == n {
		return nil
	}
	return x.save()
}
