// Package table writes aligned columns and coloured words to terminals and files.
//
// What it writes comes from configurations and from BGP peers, so it lets nothing through that a terminal obeys:
// see Clean.
package table
