package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The folders that the package makes in /etc/vbrd are those that the unit and the settings read, nobody else can read secrets in them, and
// those that are empty go when it is purged.
func TestFolders(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(systemdDir, "tmpfiles.d/vbrd.conf"))
	if err != nil {
		t.Fatal(err)
	}
	purge, err := os.ReadFile("postrm")
	if err != nil {
		t.Fatal(err)
	}
	made := make(map[string]string) // path: mode, owner and group
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 6 && f[0] == "d" {
			made[f[1]] = strings.Join(f[2:5], " ")
			if !strings.Contains(string(purge), " "+f[1]+" ") {
				t.Errorf("postrm does not look after %s", f[1])
			}
		}
	}
	for path, want := range map[string]string{
		"/etc/vbrd": "0755 root root", "/etc/vbrd/resources.d": "0755 root root", "/etc/vbrd/credentials": "0700 root root", "/etc/vbrd/tls": "0700 root root",
		"/etc/vbrd/keys": "0700 vbrd vbr", // vbrd opens them itself; the group has the API's users
	} {
		if made[path] != want {
			t.Errorf("%s: %q, want %q", path, made[path], want)
		}
	}
	for _, line := range []string{"LoadCredential=key:/etc/vbrd/credentials\n", "LoadCredential=tls:/etc/vbrd/tls\n", "User=vbrd\nGroup=vbr\n"} {
		if !strings.Contains(unit(t), line) {
			t.Errorf("the unit has no %q", line)
		}
	}
}
