package api

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
)

// The kernel tells the owner of an established socket that somebody holds; of all others it says root.
func TestSocketOwner(t *testing.T) {
	hexed := func(a string) string {
		p := netip.MustParseAddrPort(a)
		raw := p.Addr().AsSlice()
		for i := 0; i < len(raw); i += 4 {
			binary.BigEndian.PutUint32(raw[i:], binary.NativeEndian.Uint32(raw[i:]))
		}
		return fmt.Sprintf("%X:%04X", raw, p.Port())
	}
	const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	line := func(local, remote, state string, uid, inode int) string {
		return fmt.Sprintf("   0: %s %s %s 00000000:00000000 00:00000000 00000000 %5d        0 %d 1 0000000000000000 100 0 0 10 0\n", hexed(local), hexed(remote), state, uid, inode)
	}
	for _, tt := range []struct {
		name, table string
		want        string
	}{
		{"OK", line("127.0.0.1:40000", "127.0.0.1:9343", "01", 1000, 77), "1000 true"},
		{"OK: behind others", line("127.0.0.1:40001", "127.0.0.1:9343", "01", 7, 77) + line("127.0.0.1:40000", "127.0.0.2:9343", "01", 8, 77) + line("127.0.0.1:40000", "127.0.0.1:9343", "01", 9, 77), "9 true"},
		{"OK: an IPv6 socket that speaks IPv4", line("[::ffff:127.0.0.1]:40000", "[::ffff:127.0.0.1]:9343", "01", 1000, 77), "1000 true"},
		{"bad: our own end", line("127.0.0.1:9343", "127.0.0.1:40000", "01", 0, 77), "0 false"},
		{"bad: over", line("127.0.0.1:40000", "127.0.0.1:9343", "06", 0, 0), "0 false"},
		{"bad: closing", line("127.0.0.1:40000", "127.0.0.1:9343", "05", 0, 77), "0 false"},
		{"bad: nobody's", line("127.0.0.1:40000", "127.0.0.1:9343", "01", 0, 0), "0 false"},
		{"bad: short", "   0: 0100007F:9C40 0100007F:247F 01\n", "0 false"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			uid, found, err := socketOwner(strings.NewReader(head+tt.table), netip.MustParseAddrPort("127.0.0.1:40000"), netip.MustParseAddrPort("127.0.0.1:9343"))
			if got := fmt.Sprint(uid, " ", found); got != tt.want || err != nil {
				t.Errorf("got %s, want %s; %v", got, tt.want, err)
			}
		})
	}
	six := line("[::1]:40000", "[::1]:9343", "01", 5, 77)
	if uid, found, err := socketOwner(strings.NewReader(head+six), netip.MustParseAddrPort("[::1]:40000"), netip.MustParseAddrPort("[::1]:9343")); uid != 5 || !found || err != nil {
		t.Error(uid, found, err)
	}
}

// What is no place for a door is refused before anything is served.
func TestBadDoor(t *testing.T) {
	w := start(t, options{})
	for where, want := range map[string]string{
		"0.0.0.0:0":      "", // with the certificates of the API
		"192.0.2.1:9343": "cannot assign requested address",
		w.tcp():          "address already in use",
		"unix:" + filepath.Join(t.TempDir(), "none", strings.Repeat("x", 120)): "invalid argument",
		"unix:" + w.files.Key: "is there and is no socket; legal for glass.listen: a path of its own",
		"unix:" + w.socket():  "is served by another process; legal for glass.listen",
	} {
		d, err := (&Server{log: w.server.log, shake: w.server.shake, tls: w.files}).Door(where, "glass.listen")
		if err == nil {
			d.Close()
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "glass.listen: ")) {
			t.Errorf("%s: %v", where, err)
		}
	}
	if _, err := (&Server{log: w.server.log, shake: w.server.shake}).Door("0.0.0.0:0", "glass.listen"); err == nil || !strings.Contains(err.Error(), "api.tls") {
		t.Error("without certificates:", err)
	}
}
