package evpn

import "testing"

// FuzzID: what is read as a route distinguisher, a route target or a MAC address is written as something that reads the same.
func FuzzID(f *testing.F) {
	for _, s := range []string{"65000:5001", "192.0.2.1:5001", "4200000000:5001", "65000L:1", "02:00:5e:00:53:01", "0:0", ":", "1:2:3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if rd, err := ParseRD(s); err == nil {
			if again, err := ParseRD(rd.String()); err != nil || again != rd {
				t.Fatalf("%q: %v, %v: %v", s, rd, again, err)
			}
		}
		if rt, err := ParseRouteTarget(s); err == nil {
			if again, err := ParseRouteTarget(rt.String()); err != nil || again != rt {
				t.Fatalf("%q: %v, %v: %v", s, rt, again, err)
			}
		}
		if mac, err := ParseMAC(s); err == nil {
			if again, err := ParseMAC(mac.String()); err != nil || again != mac {
				t.Fatalf("%q: %v, %v: %v", s, mac, again, err)
			}
		}
	})
}
