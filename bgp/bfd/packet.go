package bfd

import (
	"time"

	codec "github.com/osrg/gobgp/v4/pkg/packet/bfd"
)

const (
	version     = 1
	sizeMin     = 24 // of the mandatory section (RFC 5880 4.1)
	sizeAuth    = 26 // with the shortest authentication section
	sizeMax     = 255
	flagControl = 0x08
	flagAuth    = 0x04
	flagMulti   = 0x01
)

// packet is a BFD control packet, as far as it matters.
type packet struct {
	state       State
	diag        Diag
	poll, final bool
	auth        bool
	independent bool // the C bit, of a received packet: the neighbour's BFD does not share the fate of its control plane
	multihop    bool // it comes or goes to RFC 5883's port
	mult        uint8
	my, your    uint32        // discriminators
	minTx       time.Duration // Desired Min TX Interval
	minRx       time.Duration // Required Min RX Interval
}

// decode reads a datagram's payload and checks it in the order of RFC 5880 6.8.6 as far as that
// needs no session: the authentication bit is looked at after one was found (demux.go). A Reason other than "" says why it is to be dropped.
func decode(b []byte) (packet, Reason) {
	switch {
	case len(b) < sizeMin: // nothing to read the fields from
		return packet{}, DropLength
	case b[0]>>5 != version:
		return packet{}, DropVersion
	case b[3] < sizeMin, b[1]&flagAuth != 0 && b[3] < sizeAuth:
		return packet{}, DropLength
	case int(b[3]) > len(b):
		return packet{}, DropLength
	case b[2] == 0:
		return packet{}, DropDetectMult
	case b[1]&flagMulti != 0:
		return packet{}, DropMultipoint
	}
	var h codec.BFDHeader
	if err := h.UnmarshalBinary(b[:b[3]]); err != nil { // what follows the packet in the datagram is nobody's
		return packet{}, DropLength
	}
	p := packet{
		state: State(h.State), diag: Diag(h.Diagnostic), poll: h.Poll, final: h.Final, auth: b[1]&flagAuth != 0, independent: b[1]&flagControl != 0,
		mult: h.DetectTimeMultiplier, my: h.MyDiscriminator, your: h.YourDiscriminator,
		minTx: micros(h.DesiredMinTxInterval), minRx: micros(h.RequiredMinRxInterval),
	}
	switch {
	case p.my == 0:
		return packet{}, DropMyDiscr
	case p.your == 0 && p.state != Down && p.state != AdminDown:
		return packet{}, DropState
	}
	return p, ""
}

// encode is decode's reverse (RFC 5880 6.8.7): C, A, D, M and Required Min Echo RX Interval are 0.
func (p packet) encode() ([]byte, error) {
	h := codec.BFDHeader{
		Version: version, Diagnostic: codec.DiagnosticType(p.diag), State: codec.StateType(p.state), Poll: p.poll, Final: p.final,
		DetectTimeMultiplier: p.mult, MyDiscriminator: p.my, YourDiscriminator: p.your,
		DesiredMinTxInterval: uint32(p.minTx / time.Microsecond), RequiredMinRxInterval: uint32(p.minRx / time.Microsecond),
	}
	return h.MarshalBinary()
}

func micros(n uint32) time.Duration { return time.Duration(n) * time.Microsecond }
