package usage

import (
	"encoding/binary"
	"fmt"

	"github.com/openvbr/openvbr/internal/sealed"
)

const (
	version    = 2 // 1 had no inlet
	countsSize = 4 * 8
	hourSize   = 4 + 1 + countsSize
	deviceSize = 1 + 32 + 4 + countsSize
	inletSize  = 4 + 8 + 8
	headSize   = int(classes)*countsSize + deviceSize + inletSize + 8
)

func kind() sealed.Kind { return sealed.Kind{'V', 'B', 'R', 'U'} }

// Marshal gives the Meter's state in a sealed envelope (package sealed), numbers big endian: the totals of each class, whether there is a device (1 or 0), its boot id's SHA-256, index
// and counters, its inlet's index, bytes and packets, the hour up to which hours were dropped, the number of hours, and the hours: start, class, counts.
func (m *Meter) Marshal() []byte {
	b := make([]byte, 0, headSize+hourSize*len(m.hours))
	for _, t := range m.totals {
		b = t.append(b)
	}
	b = appendDevice(b, m.last)
	b = binary.BigEndian.AppendUint32(b, m.dropped)
	b = binary.BigEndian.AppendUint32(b, uint32(len(m.hours)))
	for _, h := range m.hours {
		b = binary.BigEndian.AppendUint32(b, h.start)
		b = append(b, byte(h.class))
		b = h.append(b)
	}
	return sealed.Seal(kind(), version, b)
}

// Unmarshal reads what Marshal gave. Anything else is an error that wraps sealed.ErrDamaged.
func Unmarshal(data []byte) (*Meter, error) {
	is, b, err := sealed.Open(kind(), version, data)
	if err != nil {
		return nil, fmt.Errorf("usage: %w", err)
	}
	m := &Meter{}
	if err := m.read(is, b); err != nil {
		return nil, fmt.Errorf("usage: %w", err)
	}
	return m, nil
}

func (m *Meter) read(is uint16, b []byte) error {
	least := headSize
	if is < 2 {
		least -= inletSize
	}
	if len(b) < least {
		return fmt.Errorf("%w: cut off", sealed.ErrDamaged)
	}
	for c := range m.totals {
		m.totals[c], b = parseCounts(b), b[countsSize:]
	}
	if b[0] > 1 {
		return fmt.Errorf("%w: device makes no sense", sealed.ErrDamaged)
	}
	m.last, b = parseDevice(b), b[deviceSize:]
	if is >= 2 {
		m.last.readInlet(b)
		b = b[inletSize:]
	}
	m.dropped = binary.BigEndian.Uint32(b)
	n := binary.BigEndian.Uint32(b[4:])
	b = b[8:]
	if n > HourSlots || len(b) != int(n)*hourSize {
		return fmt.Errorf("%w: %d hours do not fit", sealed.ErrDamaged, n)
	}
	return m.readHours(b)
}

func (m *Meter) readHours(b []byte) error {
	m.hours = make([]hour, len(b)/hourSize)
	for i := range m.hours {
		h := hour{binary.BigEndian.Uint32(b), Class(b[4]), parseCounts(b[5:])}
		if h.class >= classes || i > 0 && h.compare(m.hours[i-1]) <= 0 {
			return fmt.Errorf("%w: hour %d makes no sense", sealed.ErrDamaged, i)
		}
		m.hours[i], b = h, b[hourSize:]
	}
	return nil
}

func appendDevice(b []byte, d *device) []byte {
	there := byte(1)
	if d == nil {
		there, d = 0, &device{}
	}
	b = append(b, there)
	b = append(b, d.boot[:]...)
	b = binary.BigEndian.AppendUint32(b, d.index)
	b = d.append(b)
	b = binary.BigEndian.AppendUint32(b, d.inlet.index)
	b = binary.BigEndian.AppendUint64(b, d.inlet.bytes)
	return binary.BigEndian.AppendUint64(b, d.inlet.packets)
}

func (d *device) readInlet(b []byte) {
	if d != nil {
		d.inlet = inlet{binary.BigEndian.Uint32(b), binary.BigEndian.Uint64(b[4:]), binary.BigEndian.Uint64(b[12:])}
	}
}

func parseDevice(b []byte) *device {
	if b[0] == 0 {
		return nil
	}
	d := &device{index: binary.BigEndian.Uint32(b[33:]), Counts: parseCounts(b[37:])}
	copy(d.boot[:], b[1:])
	return d
}

func (c Counts) append(b []byte) []byte {
	for _, v := range []uint64{c.RxBytes, c.RxPackets, c.TxBytes, c.TxPackets} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return b
}

func parseCounts(b []byte) Counts {
	u := binary.BigEndian.Uint64
	return Counts{u(b), u(b[8:]), u(b[16:]), u(b[24:])}
}
