package monitor

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"github.com/osrg/gobgp/v4/pkg/packet/mrt"
)

// MRT says what is dumped into files.
type MRT struct {
	Directory string        // empty: nothing
	Interval  time.Duration // between two dumps of a router
	Keep      int           // how many files of a router stay
	Size      int64         // octets of all files that stay
}

const (
	stampFormat = "20060102T150405Z"
	suffix      = ".mrt"
)

// dumps writes a file for each router again and again, until the context ends.
func (h *Hub) dumps(ctx context.Context) {
	h.cfg.MRT.sweep()
	tick := time.NewTicker(h.cfg.MRT.Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			err := h.dumpAll(ctx, now.UTC())
			switch {
			case ctx.Err() != nil:
			case err == nil:
				h.note("MRT dumps", "")
			case h.note("MRT dumps", err.Error()): // once for each reason
				h.cfg.Log.Error("MRT dumps are not complete", "err", err)
			}
		}
	}
}

// dumpAll writes one file for each router that has a session, and removes what is too many or too much.
func (h *Hub) dumpAll(ctx context.Context, now time.Time) error {
	if err := os.MkdirAll(h.cfg.MRT.Directory, 0o700); err != nil {
		return err
	}
	var errs []error
	for _, s := range h.sorted() {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := s.dump(ctx, h.cfg.MRT.Directory, now); err != nil {
			errs = append(errs, fmt.Errorf("router %s: %w", s.instance.router, err))
		}
	}
	return errors.Join(append(errs, h.cfg.MRT.rotate())...)
}

// dump writes a router's file: TABLE_DUMP_V2 (RFC 6396 4.3) with its name as the view's.
func (s *Source) dump(ctx context.Context, dir string, now time.Time) error {
	s.mu.Lock()
	sessions := s.up()
	s.mu.Unlock()
	if len(sessions) == 0 {
		return nil
	}
	release, err := s.hub.alone(ctx)
	if err != nil {
		return err
	}
	defer release()
	path := filepath.Join(dir, s.instance.router+"."+now.Format(stampFormat)+suffix)
	file, err := renameio.NewPendingFile(path, renameio.WithTempDir(dir), renameio.WithStaticPermissions(0o600))
	if err != nil {
		return err
	}
	defer func() { _ = file.Cleanup() }() // does nothing once it is in place
	out := bufio.NewWriterSize(file, 1<<20)
	w := &dumper{out: out, now: now}
	w.index(s, sessions)
	for _, v6 := range []bool{false, true} {
		w.family(s, sessions, v6)
	}
	if w.err == nil {
		w.err = out.Flush()
	}
	if w.err != nil {
		return w.err
	}
	return file.CloseAtomicallyReplace()
}

// dumper writes records, until the first error.
type dumper struct {
	out *bufio.Writer
	now time.Time
	seq uint32
	err error
}

func (w *dumper) record(subtype mrt.MRTSubTypeTableDumpv2, body mrt.Body) {
	if w.err != nil {
		return
	}
	m, err := mrt.NewMRTMessage(w.now, mrt.TABLE_DUMPv2, subtype, body)
	if err == nil {
		var b []byte
		if b, err = m.Serialize(); err == nil {
			_, err = w.out.Write(b)
		}
	}
	w.err = err
}

// index is the table of peers, to which entries refer by position.
func (w *dumper) index(s *Source, sessions []*Session) {
	var peers []*mrt.Peer
	for _, x := range sessions {
		peers = append(peers, mrt.NewPeer(x.RouterID, x.Peer.Addr().WithZone(""), x.ASN, true))
	}
	w.record(mrt.PEER_INDEX_TABLE, mrt.NewPeerIndexTable(s.routerID, s.instance.router, peers))
}

// family writes a record for each prefix, in order.
func (w *dumper) family(s *Source, sessions []*Session, v6 bool) {
	entries := make(map[netip.Prefix][]*mrt.RibEntry)
	for i, x := range sessions {
		paths, _ := s.copy(x.Peer.Addr(), v6)
		for _, p := range paths {
			if nlri, ok := p.Nlri.(*bgp.IPAddrPrefix); ok {
				entries[nlri.Prefix] = append(entries[nlri.Prefix], mrt.NewRibEntry(uint16(i), uint32(p.Age), 0, p.Attrs, false))
			}
		}
	}
	subtype := mrt.RIB_IPV4_UNICAST
	if v6 {
		subtype = mrt.RIB_IPV6_UNICAST
	}
	for _, prefix := range slices.SortedFunc(maps.Keys(entries), netip.Prefix.Compare) {
		nlri, err := bgp.NewIPAddrPrefix(prefix)
		if err != nil {
			w.err = cmp.Or(w.err, err)
			return
		}
		w.record(subtype, &rib{w.seq, nlri, entries[prefix]})
		w.seq++
	}
}

// sweep removes what a predecessor that was killed has left half written.
func (m *MRT) sweep() {
	left, _ := filepath.Glob(filepath.Join(m.Directory, ".*"+suffix+"*"))
	for _, path := range left {
		_ = os.Remove(path)
	}
}

// rib is the body of a RIB_IPV4_UNICAST or RIB_IPV6_UNICAST record (RFC 6396 4.3.2). GoBGP v4.8.0's puts the family into the latter too, which only
// RIB_GENERIC has.
type rib struct {
	seq     uint32
	prefix  *bgp.IPAddrPrefix
	entries []*mrt.RibEntry
}

// Serialize implements mrt.Body.
func (r *rib) Serialize() ([]byte, error) {
	b := binary.BigEndian.AppendUint32(nil, r.seq)
	prefix, err := r.prefix.Serialize()
	if err != nil {
		return nil, err
	}
	b = binary.BigEndian.AppendUint16(append(b, prefix...), uint16(len(r.entries)))
	for _, e := range r.entries {
		entry, err := e.Serialize()
		if err != nil {
			return nil, err
		}
		b = append(b, entry...)
	}
	return b, nil
}

// dumpFile is a file of ours in the directory.
type dumpFile struct {
	path, router, stamp string
	size                int64
}

// rotate removes the oldest files of routers that have too many, and then the oldest of all while all are too much.
func (m *MRT) rotate() error {
	all, err := m.files()
	if err != nil {
		return err
	}
	var errs []error
	total, of := int64(0), make(map[string]int)
	for i, f := range all { // newest first
		if of[f.router]++; of[f.router] <= m.Keep {
			total += f.size
		}
		if of[f.router] > m.Keep || total > m.Size && i > 0 {
			errs = append(errs, os.Remove(f.path))
		}
	}
	return errors.Join(errs...)
}

// files are those that dump has written, the newest first.
func (m *MRT) files() (all []dumpFile, err error) {
	entries, err := os.ReadDir(m.Directory)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		base, is := strings.CutSuffix(e.Name(), suffix)
		at := len(base) - len(stampFormat)
		if !is || at < 2 || base[at-1] != '.' {
			continue
		}
		if _, err := time.Parse(stampFormat, base[at:]); err != nil {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if info.Mode().IsRegular() {
			all = append(all, dumpFile{filepath.Join(m.Directory, e.Name()), base[:at-1], base[at:], info.Size()})
		}
	}
	slices.SortFunc(all, func(a, b dumpFile) int { return cmp.Or(cmp.Compare(b.stamp, a.stamp), cmp.Compare(a.router, b.router)) })
	return all, nil
}
