package main

import (
	"encoding/binary"
	"io"
	"time"
)

// pcap writes a capture file with time stamps in nanoseconds (draft-ietf-opsawg-pcap), which tcpdump and Wireshark read.
type pcap struct{ out io.Writer }

const (
	pcapMagic    = 0xa1b23c4d // nanoseconds
	pcapEthernet = 1          // LINKTYPE_ETHERNET
	pcapSnap     = 65535      // no packet has more octets than that
)

// begin writes the file's header.
func (p pcap) begin() error {
	b := binary.LittleEndian.AppendUint32(nil, pcapMagic)
	b = binary.LittleEndian.AppendUint16(b, 2) // version 2.4
	b = binary.LittleEndian.AppendUint16(b, 4)
	b = append(b, make([]byte, 8)...)
	b = binary.LittleEndian.AppendUint32(b, pcapSnap)
	b = binary.LittleEndian.AppendUint32(b, pcapEthernet)
	_, err := p.out.Write(b)
	return err
}

// packet writes what was captured of a packet that has so many octets.
func (p pcap) packet(at time.Time, data []byte, length uint32) error {
	b := binary.LittleEndian.AppendUint32(nil, uint32(at.Unix()))
	b = binary.LittleEndian.AppendUint32(b, uint32(at.Nanosecond()))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	b = binary.LittleEndian.AppendUint32(b, length)
	_, err := p.out.Write(append(b, data...))
	return err
}
