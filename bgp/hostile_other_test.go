package bgp

import (
	"fmt"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
)

// others: NOTIFICATION (RFC 4271 4.5: whatever it says, it ends the session and is not answered) and ROUTE-REFRESH (RFC 2918, RFC 7313).
func others() []hostile {
	var l []hostile
	for _, b := range [][]byte{{0, 0}, {1, 1}, {3, 9}, {6, 2}, {6, 9}, {77, 3}, {255, 255}, {6, 2, 200, 'x'}, {6, 2, 0}, {6, 4, 2, 0xff, 0xfe}} {
		l = append(l, hostile{fmt.Sprintf("NOTIFICATION %v", b), external, msg(3, b...), want{outcome: silence}})
	}
	l = append(l, hostile{"NOTIFICATION of 4096", external, msg(3, append([]byte{6, 2}, make([]byte, 4096-21)...)...), want{outcome: silence}})
	for _, b := range [][]byte{{0, 2, 0, 1}, {0, 1, 0, 2}, {0, 1, 0, 128}, {0, 0, 0, 0}, {255, 255, 255, 255}, {0, 25, 0, 70}} {
		l = append(l, hostile{fmt.Sprintf("ROUTE-REFRESH %v", b), external, msg(5, b...), ignored})
	}
	for _, b := range [][]byte{{0, 1, 1, 1}, {0, 1, 2, 1}, {0, 1, 255, 1}, {0, 1, 0, 1, 0, 0, 0}} {
		l = append(l, hostile{fmt.Sprintf("ROUTE-REFRESH %v", b), external, msg(5, b...), ignored})
	}
	var many []byte
	for range 1000 {
		many = append(many, msg(5, 0, 1, 0, 1)...)
	}
	return append(l,
		hostile{"a thousand ROUTE-REFRESHes", external, many, ignored},
		hostile{"a thousand KEEPALIVEs", external, bgptest.Join(repeat(msg(4), 1000)...), ignored},
	)
}

func repeat(b []byte, n int) (l [][]byte) {
	for range n {
		l = append(l, b)
	}
	return l
}
