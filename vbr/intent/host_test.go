package intent_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openvbr/openvbr/vbr/intent"
)

// ports is a host with these network devices and the real file system.
type ports struct {
	intent.Host
	names []string
}

func (p ports) Devices() ([]string, error) { return p.names, nil }

func TestCheckHost(t *testing.T) {
	keys := t.TempDir()
	dir := filepath.Join(keys, "acme")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Mkdir(filepath.Join(dir, "folder"), 0o700)); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("good", "s3cr3t-k3y\n", 0o600)
	write("open", "s3cr3t-k3y", 0o644)
	write("short", "abc\n", 0o600)
	write("long", strings.Repeat("x", 81), 0o600)
	write("binary", "abc\x00defgh", 0o600)
	write("lines", "abcdef\nghijkl\n", 0o600)
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, key, want, warn string }{
		{"OK: a key", "good", "", ""},
		{"OK: but open to all", "open", "", `r.yaml:20:65: VirtualBorderRouter/vbr-acme.bgp_peers[0].auth_key_file: "DIR/open": key file has mode 0644: anyone may use it; legal: 0600 or 0640`},
		{"bad: missing", "none", `r.yaml:20:65: VirtualBorderRouter/vbr-acme.bgp_peers[0].auth_key_file: "DIR/none": key file does not exist; legal: a readable file of 6..80 printable ASCII characters on one line`, ""},
		{"bad: short", "short", `r.yaml:20:65: VirtualBorderRouter/vbr-acme.bgp_peers[0].auth_key_file: "DIR/short": file does not hold a key; legal: 6..80 printable ASCII characters on one line`, ""},
		{"bad: long", "long", `r.yaml:20:65: VirtualBorderRouter/vbr-acme.bgp_peers[0].auth_key_file: "DIR/long": file does not hold a key; legal: 6..80 printable ASCII characters on one line`, ""},
		{"bad: binary", "binary", `r.yaml:20:65: VirtualBorderRouter/vbr-acme.bgp_peers[0].auth_key_file: "DIR/binary": file does not hold a key; legal: 6..80 printable ASCII characters on one line`, ""},
		{"bad: two lines", "lines", `r.yaml:20:65: VirtualBorderRouter/vbr-acme.bgp_peers[0].auth_key_file: "DIR/lines": file does not hold a key; legal: 6..80 printable ASCII characters on one line`, ""},
		{"bad: a FIFO", "fifo", `r.yaml:20:65: VirtualBorderRouter/vbr-acme.bgp_peers[0].auth_key_file: "DIR/fifo": key file is not a regular file; legal: a readable file of 6..80 printable ASCII characters on one line`, ""},
		{"bad: a folder", "folder", `r.yaml:20:65: VirtualBorderRouter/vbr-acme.bgp_peers[0].auth_key_file: "DIR/folder": key file is not a regular file; legal: a readable file of 6..80 printable ASCII characters on one line`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(base, "hold: 30, ", "auth_key_file: "+dir+"/"+tt.key+", hold: 30, ", 1)
			in, problems := intent.Parse("r.yaml", []byte(text))
			if problems != nil {
				t.Fatal(problems)
			}
			built, problems := intent.Build(in)
			if problems != nil {
				t.Fatal(problems)
			}
			bad, warn := intent.CheckHost(built, ports{intent.Host{Keys: intent.KeyDir(keys)}, []string{"eth1"}})
			if diff := cmp.Diff([]string{tt.want, tt.warn}, []string{strings.ReplaceAll(bad.Error(), dir, "DIR"), strings.ReplaceAll(warn.Error(), dir, "DIR")}); diff != "" {
				t.Error("-want +got", diff)
			}
		})
	}
}

// A key may be a systemd credential: a file in the folder that the environment names.
func TestCredential(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "acme.bgp"), []byte("s3cr3t-k3y\n"), 0o400); err != nil {
		t.Fatal(err)
	}
	const at = "r.yaml:20:66: VirtualBorderRouter/vbr-acme.bgp_peers[0].key_credential: "
	for _, name := range []string{"beta.bgp", "acme.east.bgp", "etcd"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("another-k3y\n"), 0o400); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ name, dir, credential, want string }{
		{"OK", dir, "acme.bgp", ""},
		{"bad: there is none", dir, "acme.none", at + `"acme.none": key file does not exist; legal: a readable file of 6..80 printable ASCII characters on one line`},
		{"bad: not started so", "", "acme.bgp", at + `"acme.bgp": vbrd was started without systemd credentials; legal: a credential of vbrd's unit, by LoadCredential= or SetCredentialEncrypted=`},
		{"bad: another owner's", dir, "beta.bgp", at + `"beta.bgp": not a credential of the owner's; legal: acme.KEY, KEY of letters, digits and "_-"`},
		{"bad: of an owner with a dot", dir, "acme.east.bgp", at + `"acme.east.bgp": not a credential of the owner's; legal: acme.KEY, KEY of letters, digits and "_-"`},
		{"bad: of nobody", dir, "etcd", at + `"etcd": not a credential of the owner's; legal: acme.KEY, KEY of letters, digits and "_-"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("CREDENTIALS_DIRECTORY", tt.dir)
			doc, problems := intent.Parse("r.yaml", []byte(strings.Replace(base, "hold: 30, ", "key_credential: "+tt.credential+", hold: 30, ", 1)))
			if problems != nil {
				t.Fatal(problems)
			}
			in, problems := intent.Build(doc)
			if problems != nil {
				t.Fatal(problems)
			}
			bad, warn := intent.CheckHost(in, ports{names: []string{"eth1"}})
			if diff := cmp.Diff([]string{tt.want, ""}, []string{bad.Error(), warn.Error()}); diff != "" {
				t.Error("-want +got", diff)
			}
			key, _, err := intent.KeyDir("").Key("acme", &in.Routers[0].Peers[0])
			if good := tt.want == ""; good != (err == nil) || good != (key == "s3cr3t-k3y") {
				t.Errorf("key %q, %v", key, err)
			}
		})
	}
}

func TestCheckHostDevices(t *testing.T) {
	in, _ := load(t, map[string]string{"r.yaml": base})
	bad, _ := intent.CheckHost(in, ports{names: []string{"wan0", "lo", "eth0"}})
	want := `PhysicalConnection/pc-1.device: "eth1": no such network device on this host; legal: eth0, wan0`
	if got := bad.Error(); !strings.HasSuffix(got, "r.yaml:3:9: "+want) {
		t.Errorf("got %s", got)
	}
	if bad, _ := intent.CheckHost(&intent.Intent{PhysicalConnections: []intent.PhysicalConnection{{Name: "p", Device: "lo"}}}, intent.Host{}); bad != nil {
		t.Errorf("the real host has no lo: %v", bad)
	}
}

func TestReadKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	for text, want := range map[string]string{"abcdef": "abcdef", "abcdef\n": "abcdef", "abcdef\r\n": "abcdef", " spaces are part \n": " spaces are part "} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := intent.ReadKey(path); err != nil || got != want {
			t.Errorf("ReadKey of %q = %q, %v", text, got, err)
		}
	}
	if err := os.WriteFile(path, []byte("s3cr3\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := intent.ReadKey(path)
	if err == nil || strings.Contains(err.Error(), "s3cr3") {
		t.Errorf("error %v", err)
	}
	if _, err := intent.ReadKey(path + "x"); !os.IsNotExist(unwrapAll(err)) {
		t.Errorf("error of a missing file: %v", err)
	}
}

func unwrapAll(err error) error {
	for {
		u, ok := err.(interface{ Unwrap() error })
		if !ok || u.Unwrap() == nil {
			return err
		}
		err = u.Unwrap()
	}
}
