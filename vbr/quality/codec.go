package quality

import (
	"encoding/binary"
	"fmt"

	"github.com/openvbr/openvbr/internal/sealed"
)

// SlotSize is what a slot takes, in bytes: its start and its ten numbers, big endian.
const SlotSize = 7*4 + 4*8

const version = 1

func kind() sealed.Kind { return sealed.Kind{'V', 'B', 'R', 'Q'} }

// Marshal gives the History's slots in a sealed envelope (package sealed): for each tier the minute up to which slots were dropped, the number of slots, and the slots.
// What only connects one observation with the next is not kept: jitter, counters and state begin anew.
func (h *History) Marshal() []byte {
	b := make([]byte, 0, 16+SlotSize*(len(h.minutes.slots)+len(h.hours.slots)))
	for _, t := range []*tier{&h.minutes, &h.hours} {
		b = binary.BigEndian.AppendUint32(b, t.dropped)
		b = binary.BigEndian.AppendUint32(b, uint32(len(t.slots)))
		for _, d := range t.slots {
			b = d.append(b)
		}
	}
	return sealed.Seal(kind(), version, b)
}

// Unmarshal reads what Marshal gave, and keeps what is within the limits. Anything else is an error that wraps sealed.ErrDamaged.
func Unmarshal(data []byte, l Limits) (*History, error) {
	_, b, err := sealed.Open(kind(), version, data)
	if err != nil {
		return nil, fmt.Errorf("quality: %w", err)
	}
	h := New(Limits{})
	if b, err = h.minutes.read(b); err == nil {
		b, err = h.hours.read(b)
	}
	if err == nil && len(b) > 0 {
		err = fmt.Errorf("%w: %d bytes too many", sealed.ErrDamaged, len(b))
	}
	if err != nil {
		return nil, fmt.Errorf("quality: %w", err)
	}
	h.SetLimits(l)
	return h, nil
}

// read takes a tier from the front of b and gives the rest.
func (t *tier) read(b []byte) ([]byte, error) {
	if len(b) < 8 {
		return nil, fmt.Errorf("%w: cut off", sealed.ErrDamaged)
	}
	n := binary.BigEndian.Uint32(b[4:])
	t.dropped, b = binary.BigEndian.Uint32(b), b[8:]
	if uint64(n) > uint64(t.limit) || len(b) < int(n)*SlotSize {
		return nil, fmt.Errorf("%w: %d slots do not fit", sealed.ErrDamaged, n)
	}
	t.slots = make([]dated, n)
	for i := range t.slots {
		d := parse(b)
		if !d.valid() || d.start%t.width != 0 || i > 0 && d.start <= t.slots[i-1].start {
			return nil, fmt.Errorf("%w: slot %d makes no sense", sealed.ErrDamaged, i)
		}
		t.slots[i], b = d, b[SlotSize:]
	}
	return b, nil
}

func (d dated) append(b []byte) []byte {
	for _, v := range []uint32{d.start, d.Sent, d.Lost, d.RTTMin, d.RTTMax, d.Observed, d.Up} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	for _, v := range []uint64{d.RTTSum, d.JitterSum, d.TxSent, d.TxFailed} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return b
}

func parse(b []byte) (d dated) {
	for i, v := range []*uint32{&d.start, &d.Sent, &d.Lost, &d.RTTMin, &d.RTTMax, &d.Observed, &d.Up} {
		*v = binary.BigEndian.Uint32(b[4*i:])
	}
	for i, v := range []*uint64{&d.RTTSum, &d.JitterSum, &d.TxSent, &d.TxFailed} {
		*v = binary.BigEndian.Uint64(b[28+8*i:])
	}
	return d
}
