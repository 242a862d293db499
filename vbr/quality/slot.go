package quality

import "time"

// rttUnit is that of a slot's least and greatest round trip.
const rttUnit = 100 * time.Nanosecond

// Slot is what was observed within some time. The zero Slot is of nothing.
type Slot struct {
	Sent, Lost       uint32 // requests
	RTTMin, RTTMax   uint32 // of the replies, in 100 ns
	Observed, Up     uint32 // ms: known state, and of that up and not Abnormal
	RTTSum           uint64 // ns
	JitterSum        uint64 // of J over the replies, in ns/16
	TxSent, TxFailed uint64 // packets, and errors and drops
}

// Merge is the slot of what was observed in either.
func (s Slot) Merge(o Slot) Slot {
	switch {
	case s.replies() == 0:
		s.RTTMin, s.RTTMax = o.RTTMin, o.RTTMax
	case o.replies() != 0:
		s.RTTMin, s.RTTMax = min(s.RTTMin, o.RTTMin), max(s.RTTMax, o.RTTMax)
	}
	s.Sent, s.Lost = add(s.Sent, o.Sent), add(s.Lost, o.Lost)
	s.Observed, s.Up = add(s.Observed, o.Observed), add(s.Up, o.Up)
	s.RTTSum, s.JitterSum = add(s.RTTSum, o.RTTSum), add(s.JitterSum, o.JitterSum)
	s.TxSent, s.TxFailed = add(s.TxSent, o.TxSent), add(s.TxFailed, o.TxFailed)
	return s
}

// add stays at the greatest number where the sum is greater.
func add[T uint32 | uint64](a, b T) T {
	if sum := a + b; sum >= a {
		return sum
	}
	return ^T(0)
}

func (s Slot) replies() uint32 { return s.Sent - s.Lost }

// reply is the slot of one reply, with J after it.
func reply(rtt time.Duration, jitter uint64) Slot {
	u := uint32(min(rtt/rttUnit, 1<<32-1))
	return Slot{Sent: 1, RTTMin: u, RTTMax: u, RTTSum: uint64(rtt), JitterSum: jitter}
}

// valid says whether a slot can have come about.
func (s Slot) valid() bool {
	return s.Lost <= s.Sent && s.Up <= s.Observed && s.RTTMin <= s.RTTMax && (s.replies() != 0 || s.RTTMax == 0 && s.RTTSum == 0 && s.JitterSum == 0)
}
