// Package usage meters what a router interface carried. It is pure: a [Meter] turns the raw counters of a device, which begin at zero with
// each device and each boot, into totals that never run backwards. It has no clock, no goroutine and no file.
//
// # What holds
//
// A Meter remembers which device it read last (kernel boot id and ifindex) and what its counters were, and [Meter.Marshal] keeps that. So a
// program that starts anew on the same device counts on from the kernel's counters: what flowed while it was away is counted, nothing
// twice. Another boot or another ifindex is another device, and a counter that ran backwards is one that began anew: what they show is
// added to the totals.
//
// What a device carried after its last reading, or after the last Marshal that was kept if the program ends too, goes with the device. So
// read before you remove a device, and keep the Meter's state when [Meter.Read] says renewed, before you remove a device or read as another
// class, at the end, and now and then. Whatever is missed, a Meter never counts more than was carried. Right after Unmarshal its totals are
// those of the state that was kept; the first reading brings them up to date.
//
// A device with a limit on what it receives counts what the limit then drops. So such a device is read together with its [Inlet], and received is what came
// through that. When an inlet is gone, what was received since the last reading is missed: how much of it was dropped is not known. A limit that came
// and went between two readings is not seen.
//
// The one thing that cannot be seen: a device made anew in the same boot with the same ifindex, which the kernel does only on demand or in
// another network namespace, whose counters passed the old ones before it was read. It counts less than was carried. Who expects that, adds
// the namespace to [Reading].Boot.
//
// # Size
//
// Besides the totals, hours in which something was carried are kept for 400 days, 37 bytes each: 355 KB for one router interface at most
// (twice that if all hours had both classes, of which the newest are kept).
package usage
