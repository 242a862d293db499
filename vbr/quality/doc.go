// Package quality keeps what a router interface delivered, and judges it by the figures Express Connect publishes: loss, round trip,
// jitter, encapsulation success and availability. It is pure: a [History] is fed with probe results, device counters and states, each with
// its time, and has no clock, no goroutine and no file. Where the bytes of [History.Marshal] are kept, and when, is the caller's.
//
// # Definitions
//
//   - Loss: requests without a reply in time, of all requests.
//   - Round trip: least, mean and greatest of the replies.
//   - Jitter: RFC 3550, 6.4.1, on round trips. With D the difference of two successive replies' round trips, J grows by (|D|-J)/16 with
//     each reply, J being 0 at the first. A slot's jitter is the mean of J over its replies. A lost request between two replies is passed
//     over. In percent, it is that mean divided by the mean round trip of the same replies: the published "jitter at most 20 %" names no
//     base, and this is ours. After a start J needs some 30 replies to settle, and is too low until then.
//   - Encapsulation success: 1 - (errors + drops) / (packets + errors + drops) of the device's transmit counters, which may start anew at
//     any time.
//   - Availability: the share of the observed time in which the interface was up and not Abnormal, in milliseconds. Time between two states
//     that lie more than [MaxGap] apart is not observed, and counts neither way; [Report] says how much was.
//
// # Size
//
// A slot takes [SlotSize] bytes. Minute slots are kept for 48 hours and hour slots for 400 days, if something was observed in them: 750 KB
// for one router interface at most, and less by [Limits]; [Share] divides a total among many.
package quality
