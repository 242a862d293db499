package intent_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openvbr/openvbr/vbr/intent"
)

// TestKeysOfOthers: whatever path a tenant writes, no key but its own is read, and what it is told of a file that is there is what it is told of
// one that is not.
func TestKeysOfOthers(t *testing.T) {
	top := t.TempDir()
	keys := filepath.Join(top, "keys")
	for _, d := range []string{"acme/sub", "beta", "acme.east"} {
		if err := os.MkdirAll(filepath.Join(keys, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{"shared", "acme/bgp", "acme/sub/bgp", "beta/bgp", "acme.east/bgp", "../shadow"} {
		if err := os.WriteFile(filepath.Join(keys, f), []byte("s3cr3t-k3y\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"inside": "sub/bgp", "other": "../beta/bgp", "none": "../beta/none", "absolute": "/etc/passwd", "host": "../../shadow", "folder": "..", "loop": "loop"} {
		if err := os.Symlink(to, filepath.Join(keys, "acme", link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink("../../shadow", filepath.Join(keys, "up")), os.Symlink(top, filepath.Join(keys, "gamma"))); err != nil {
		t.Fatal(err)
	}
	const outside, inside = `not in the folder of the owner's keys; legal: a file in KEYS/acme, without . and .. in its path`,
		`key file cannot be opened, or is a link that leads out of its folder; legal: a file in KEYS/acme`
	for _, tt := range []struct{ name, owner, path, want string }{
		{"OK: its own", "acme", "KEYS/acme/bgp", ""},
		{"OK: deeper", "acme", "KEYS/acme/sub/bgp", ""},
		{"OK: a link inside", "acme", "KEYS/acme/inside", ""},
		{"OK: of no owner", "", "KEYS/shared", ""},
		{"OK: of no owner, in a subfolder", "", "KEYS/beta/bgp", ""},
		{"bad: another's", "acme", "KEYS/beta/bgp", outside},
		{"bad: another's that is not there", "acme", "KEYS/beta/none", outside},
		{"bad: of an owner whose name begins so", "acme", "KEYS/acme.east/bgp", outside},
		{"bad: of no owner", "acme", "KEYS/shared", outside},
		{"bad: the host's", "acme", "/etc/passwd", outside},
		{"bad: not there at the host", "acme", "/etc/none", outside},
		{"bad: up", "acme", "KEYS/acme/../beta/bgp", outside},
		{"bad: up and back", "acme", "KEYS/acme/../acme/bgp", outside},
		{"bad: the folder", "acme", "KEYS/acme/", outside},
		{"bad: link to another's", "acme", "KEYS/acme/other", inside},
		{"bad: link to another's that is not there", "acme", "KEYS/acme/none", inside},
		{"bad: absolute link", "acme", "KEYS/acme/absolute", inside},
		{"bad: link to the host", "acme", "KEYS/acme/host", inside},
		{"bad: through a folder's link", "acme", "KEYS/acme/folder/beta/bgp", inside},
		{"bad: loop", "acme", "KEYS/acme/loop", inside},
		{"bad: of no owner, link out", "", "KEYS/up", `key file cannot be opened, or is a link that leads out of its folder; legal: a file in KEYS`},
		{"bad: owner's folder leads out", "gamma", "KEYS/gamma/shadow", `key file cannot be opened, or is a link that leads out of its folder; legal: a file in KEYS/gamma`},
		{"bad: of no owner, the host's", "", "/etc/passwd", `not in the folder of the owner's keys; legal: a file in KEYS, without . and .. in its path`},
		{"bad: owner with a slash", "acme/sub", "KEYS/acme/sub/bgp", `the owner can have no folder of keys; legal: an owner whose name is that of a folder, or no key`},
		{"bad: owner above", "..", "TOP/shadow", `the owner can have no folder of keys; legal: an owner whose name is that of a folder, or no key`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := strings.NewReplacer("KEYS", keys, "TOP", top).Replace(tt.path)
			peer := intent.Peer{AuthKeyFile: path}
			in := &intent.Intent{Routers: []intent.Router{{Name: "vbr-acme", Owner: tt.owner, Peers: []intent.Peer{peer}}}}
			bad, _ := intent.CheckHost(in, ports{intent.Host{Keys: intent.KeyDir(keys)}, nil})
			want := tt.want
			if want != "" {
				want = `VirtualBorderRouter/vbr-acme.bgp_peers[0].auth_key_file: "` + tt.path + `": ` + want
			}
			if got := strings.NewReplacer(keys, "KEYS", top, "TOP").Replace(bad.Error()); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			key, _, err := intent.KeyDir(keys).Key(tt.owner, &peer)
			if good := tt.want == ""; good != (err == nil) || good != (key == "s3cr3t-k3y") {
				t.Errorf("key %q, %v", key, err)
			}
		})
	}
}

// The packaged unit's credentials are key_OWNER.KEY: acme names acme.bgp, and no owner called key_acme gets at it.
func TestCredentialOfTheUnit(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	if err := os.WriteFile(filepath.Join(dir, "key_acme.bgp"), []byte("s3cret-k3y\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ owner, name, want string }{{"acme", "acme.bgp", "s3cret-k3y"}, {"", "key_acme.bgp", "s3cret-k3y"}, {"key_acme", "key_acme.bgp", ""}, {"beta", "acme.bgp", ""}, {"acme", "key_acme.bgp", ""}} {
		got, _, err := intent.KeyDir("").Key(tt.owner, &intent.Peer{Credential: tt.name})
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%q names %s: %q, %v", tt.owner, tt.name, got, err)
		}
	}
}
