package bgp

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
)

// header is a message that claims a length and a type.
func header(length uint16, typ byte, body ...byte) []byte {
	b := append(bytes.Repeat([]byte{0xff}, 16), byte(length>>8), byte(length), typ)
	return append(b, body...)
}

// headers: RFC 4271 6.1, RFC 8654 4.
func headers() []hostile {
	var l []hostile
	for _, i := range []int{0, 7, 8, 15} {
		b := msg(bgptest.Keepalive)
		b[i] = 0xfe
		l = append(l, hostile{fmt.Sprintf("marker with octet %d wrong", i), external, b, ends(1, 1)})
	}
	l = append(l,
		hostile{"marker of zeros", external, append(make([]byte, 16), 0, 19, 4), ends(1, 1)},
		hostile{"HTTP", external, []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), ends(1, 1)},
	)
	for _, typ := range []byte{0, 6, 7, 66, 128, 255} {
		l = append(l, hostile{fmt.Sprintf("type %d", typ), external, header(19, typ), ends(1, 3, typ)})
	}
	for _, c := range []struct {
		typ    byte
		length uint16
	}{
		{1, 0}, {1, 18}, {1, 19}, {1, 28}, {1, 4097}, {2, 0}, {2, 19}, {2, 22}, {2, 4097}, {2, 65535}, {3, 18}, {3, 19}, {3, 20}, {3, 4097},
		{4, 0}, {4, 18}, {4, 20}, {4, 4096}, {4, 65535}, {5, 19}, {5, 22}, {5, 4097}, {66, 0}, {66, 18},
	} {
		var data [2]byte
		binary.BigEndian.PutUint16(data[:], c.length)
		l = append(l, hostile{
			fmt.Sprintf("type %d of length %d", c.typ, c.length), external,
			header(c.length, c.typ, make([]byte, max(0, min(int(c.length), 100)-19))...), ends(1, 2, data[:]...),
		})
	}
	return append(l,
		hostile{"extended OPEN", extended, header(4097, 1, make([]byte, 50)...), ends(1, 2, 0x10, 1)},
		hostile{"extended KEEPALIVE", extended, header(4097, 4, make([]byte, 50)...), ends(1, 2, 0x10, 1)},
		hostile{"extended UPDATE", extended, plus(bgptest.Attr(0xc0, 8, make([]byte, 8000)...)), fine},
		hostile{"extended UPDATE of unknown attributes", extended, plus(bgptest.Attr(0xc0, 200, make([]byte, 60000)...)), fine},
		hostile{"longest UPDATE", external, plus(bgptest.Attr(0xc0, 200, make([]byte, 4096-19-4-3-4-len(basic()))...)), fine},
	)
}
