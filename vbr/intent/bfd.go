package intent

import (
	"cmp"
	"time"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// What a VBR's BFD sessions are made with where it says nothing else. Express Connect's default of a second sees a failure after three.
const (
	DefaultBFDInterval   = 300 * time.Millisecond
	DefaultBFDMultiplier = 3
)

// BFD is how a VBR's peers are watched over (RFC 5880). What is zero is the default.
type BFD struct {
	MinTx, MinRx time.Duration // whole milliseconds
	Multiplier   uint8
}

// OrDefaults is the same without zeros.
func (b BFD) OrDefaults() BFD {
	return BFD{cmp.Or(b.MinTx, DefaultBFDInterval), cmp.Or(b.MinRx, DefaultBFDInterval), cmp.Or(b.Multiplier, DefaultBFDMultiplier)}
}

// bfd reads a VBR's. What is the default is zero, said or not.
func bfd(m *vbrv1.VirtualBorderRouter) BFD {
	b := BFD{milliseconds(m.GetMinTxInterval()), milliseconds(m.GetMinRxInterval()), uint8(m.GetDetectMultiplier())}
	if b.MinTx == DefaultBFDInterval {
		b.MinTx = 0
	}
	if b.MinRx == DefaultBFDInterval {
		b.MinRx = 0
	}
	if b.Multiplier == DefaultBFDMultiplier {
		b.Multiplier = 0
	}
	return b
}

// write is bfd's reverse.
func (b BFD) write(m *vbrv1.VirtualBorderRouter) {
	m.MinTxInterval = unless(uint32(b.MinTx/time.Millisecond), 0)
	m.MinRxInterval = unless(uint32(b.MinRx/time.Millisecond), 0)
	m.DetectMultiplier = unless(uint32(b.Multiplier), 0)
}

func milliseconds(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }

// bfd checks a peer's part. The peer is on the line's subnet, which place sees to: single hop is all there is.
func (c *checker) bfd(r *Router, p *Peer, path string) {
	if p.BFDStrict && !p.BFD {
		c.fail(r.Origin, r.label(), join(path, "bfd_strict"), "true", "strict without BFD", "true only with enable_bfd: true")
	}
}
