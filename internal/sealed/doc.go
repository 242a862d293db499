// Package sealed keeps small files that must be whole or known to be damaged: an envelope of kind, version, length and checksum around
// bytes that mean nothing to it ([Seal], [Open], pure), and files of such envelopes ([Write], [Load]). A damaged file is never overwritten
// in silence: Load moves it aside and says so.
package sealed
