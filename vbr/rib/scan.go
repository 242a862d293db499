package rib

import (
	"net/netip"
	"slices"
	"time"
)

// Stage is a place on a route's way.
type Stage uint8

// The stages.
const (
	StageReceived   Stage = iota + 1 // what living neighbours told us
	StageAccepted                    // of these
	StageRejected                    // of these
	StageBest                        // the equal-cost sets of all sources
	StageKernel                      // of these, what the kernel has acknowledged; not connected routes, which are its own
	StageAdvertised                  // told to the customer: what leads through router interfaces, see Filter.Heard
	StageExported                    // told to the VPC: what does not
)

// Filter chooses rows. What is zero matches all but for Stage.
type Filter struct {
	Stage  Stage
	Prefix netip.Prefix // exactly this one, or with Longer all inside it too
	Longer bool
	Family int    // 4 or 6
	Source string // name
	// Reason is a verdict; with Rejected it is asked for, Accepted means any.
	Reason Verdict
	// Heard says of the stages advertised and exported whether those asked about are told of a source's paths; nil is as the stages say.
	Heard func(*Source) bool
}

// heard says whether what was told of a path from s is at the stage.
func (f *Filter) heard(s *Source) bool {
	if f.Heard != nil {
		return f.Heard(s)
	}
	return (s.Through() != "") == (f.Stage == StageAdvertised)
}

// Row is one path at a stage. What it points to is read-only.
type Row struct {
	Prefix  netip.Prefix
	Kind    Kind
	Source  string
	ASN     uint32
	Adopted bool
	Attrs   *Attrs
	// Received are the attributes before the import policy changed them.
	Received *Attrs
	Verdict  Verdict
	Best     bool
	Backup   bool
	Stale    bool
	Since    time.Time
}

// Scan appends the rows that match among the next slots of the table's prefixes, and returns where to go on, 0 when it is through. Begin
// with 1. It looks at limit prefixes, so that a caller can let others at the table in between: what comes meanwhile may be missed, what
// goes and comes back may be seen twice. An exact prefix is looked up.
func (t *Table) Scan(from uint32, limit int, f *Filter, rows []Row) ([]Row, uint32) {
	t.rejudgeVPC()
	if f.Prefix.IsValid() && !f.Longer {
		if i := t.lookup(f.Prefix.Masked()); i != 0 {
			rows = t.rowsOf(t.slots.at(i), f, rows)
		}
		return rows, 0
	}
	for ; from <= t.slots.used; from++ {
		if limit == 0 {
			return rows, from
		}
		limit--
		if e := t.slots.at(from); f.fits(e) {
			rows = t.rowsOf(e, f, rows)
		}
	}
	return rows, 0
}

// fits says whether an entry's prefix matches.
func (f *Filter) fits(e *entry) bool {
	if e.first.attrs == 0 && e.told == 0 || f.Family != 0 && (f.Family == 6) != e.six {
		return false
	}
	if !f.Prefix.IsValid() {
		return true
	}
	return f.Prefix.Bits() <= int(e.bits) && f.Prefix.Contains(e.prefix().Addr())
}

func (t *Table) rowsOf(e *entry, f *Filter, rows []Row) []Row {
	switch f.Stage {
	case StageAdvertised, StageExported:
		told := t.sets.get(e.told)
		if told == nil || !f.heard(&told.source.Source) || f.Source != "" && told.source.Name != f.Source {
			return rows
		}
		row := newRow(e, told)
		row.Best, row.Since = true, t.at(e.toldAt)
		return append(rows, row)
	case StageKernel:
		if e.told == 0 || e.hops == 0 {
			return rows
		}
	}
	primary, backup := t.decide(e)
	for p := range t.pathsOf(e) {
		c := candidate{t.sets.get(p.attrs), p.id}
		best := slices.Contains(primary, c)
		if !f.takes(p, c.attrs.source, best) {
			continue
		}
		row := newRow(e, c.attrs)
		row.Verdict, row.Best, row.Backup, row.Stale, row.Since = p.verdict, best, slices.Contains(backup, c), p.stale, t.at(p.since)
		if f.Stage == StageKernel {
			row.Since = t.at(e.heldAt)
		}
		rows = append(rows, row)
	}
	return rows
}

// takes says whether a path is at the stage and matches.
func (f *Filter) takes(p *path, s *source, best bool) bool {
	if f.Source != "" && s.Name != f.Source || f.Reason != Accepted && p.verdict != f.Reason {
		return false
	}
	heard := !s.Adopted && (s.Kind == BGP || s.Kind == RouterInterface)
	switch f.Stage {
	case StageReceived:
		return heard
	case StageAccepted:
		return heard && p.verdict == Accepted
	case StageRejected:
		return heard && p.verdict != Accepted
	}
	return best
}

func newRow(e *entry, sh *shared) Row {
	s := sh.source
	return Row{Prefix: e.prefix(), Kind: s.Kind, Source: s.Name, ASN: s.ASN, Adopted: s.Adopted, Attrs: &sh.Attrs, Received: sh.received()}
}
