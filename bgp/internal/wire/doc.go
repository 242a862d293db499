// Package wire judges what a BGP peer sends, message by message, before GoBGP sees it, and says what is to become of it by RFC 4271 6, RFC
// 7606 and the RFCs of each attribute: handed on, handed on without some attributes, turned into a withdrawal, ignored, or the end of the
// session with a NOTIFICATION's code, subcode and data.
//
// It exists because GoBGP v4.8.0 judges some of it wrongly (docs/bgp.md lists what) and cannot be told otherwise. What it hands on is
// well-formed and holds no attribute that the speakers above have no use for, so that most of GoBGP's decoders never meet a stranger's bytes.
//
// Pure: no I/O, no clock, no GoBGP. It decides nothing about routes: policy, loops and next hops that lead nowhere are vbr/rib's.
package wire
