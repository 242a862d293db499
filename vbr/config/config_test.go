package config_test

import (
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/openvbr/openvbr/vbr/config"
	"github.com/openvbr/openvbr/vbr/intent"
)

var byValue = cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}, netip.AddrPort{})

// load runs Load on a settings file with that text; "FILE" in the result stands for its path.
func load(t *testing.T, text string, env []string, args ...string) (*config.Settings, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vbrd.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, problems := config.Load(config.Input{Args: append([]string{"--config", path}, args...), Env: env,
		Hostname: func() (string, error) { return "edge1", nil }})
	if (s == nil) != (len(problems) > 0) {
		t.Errorf("settings %v beside %d problems", s, len(problems))
	}
	if s != nil {
		s.File = "FILE"
	}
	return s, strings.ReplaceAll(problems.Error(), path, "FILE")
}

func defaults() *config.Settings {
	return &config.Settings{File: "FILE", Host: "edge1", Region: "default", Resources: "/etc/vbrd/resources.d", StateDir: "/var/lib/vbrd", KeyDir: "/etc/vbrd/keys",
		Log:       config.Log{Level: slog.LevelInfo, Format: "auto"},
		Timers:    config.Timers{Restart: 120 * time.Second, Deferral: 15 * time.Second, Stale: 60 * time.Second, Audit: 60 * time.Second},
		TableBase: 10000, Runtime: config.Runtime{GCPercent: 70},
		API:   config.API{Socket: "/run/vbrd/vbrd.sock", Rate: 50},
		Store: config.Store{Type: "bbolt", Path: "/var/lib/vbrd/intent.db"},
		MRT:   config.MRT{Interval: time.Hour, Keep: 24, Size: 1 << 30}}
}

func TestDefaults(t *testing.T) {
	s, problems := load(t, "", nil)
	if diff := cmp.Diff(defaults(), s, byValue); diff != "" || problems != "" {
		t.Error(problems, "-want +got", diff)
	}
}

func TestSourcesInOrder(t *testing.T) {
	file := "log: {level: debug, format: json}\nstate_dir: /a\ntimers: {stale: 90, audit: 2m}\nbackbone: {asn: 64600, vtep: 192.0.2.1, prefixes: [10.0.0.0/8]}\n"
	env := []string{"VBRD_STATE_DIR=/b", "VBRD_BACKBONE_PREFIXES=192.0.2.0/24, 2001:db8::/32", "VBRD_LOG_LEVEL=", "PATH=/bin"}
	got, problems := load(t, file, env, "--check", "--host", "Edge-2.example")
	want := defaults()
	want.Action, want.Host, want.StateDir, want.Store.Path = config.Check, "Edge-2.example", "/b", "/b/intent.db"
	want.Log = config.Log{Level: slog.LevelDebug, Format: "json"}
	want.Timers.Stale, want.Timers.Audit = 90*time.Second, 2*time.Minute
	vtep := netip.MustParseAddr("192.0.2.1")
	want.Backbone = &config.Backbone{ASN: 64600, RouterID: vtep, VTEP: vtep,
		Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")}}
	if diff := cmp.Diff(want, got, byValue); diff != "" || problems != "" {
		t.Error(problems, "-want +got", diff)
	}
}

func TestActions(t *testing.T) {
	in := config.Input{Hostname: func() (string, error) { return "edge1", nil }, Env: []string{"VBRD_NONSENSE=1"}}
	for flag, want := range map[string]config.Action{"--help": config.Help, "-h": config.Help, "--version": config.Version} {
		in.Args = []string{flag}
		if s, problems := config.Load(in); problems != nil || s.Action != want {
			t.Errorf("%s: %v %v", flag, s, problems)
		}
	}
	if _, err := os.Stat(config.DefaultFile); err == nil {
		t.Fatalf("this test needs a machine without %s", config.DefaultFile)
	}
	in.Args, in.Env = []string{"--cleanup"}, nil
	if s, problems := config.Load(in); problems != nil || s.Action != config.Cleanup || s.File != "" {
		t.Errorf("--cleanup without a file: %v %v", s, problems)
	}
	in.Args = nil
	_, problems := config.Load(in)
	want := "/etc/vbrd/vbrd.yaml: settings cannot be read: no such file or directory; legal: a settings file, named by --config or VBRD_CONFIG, otherwise /etc/vbrd/vbrd.yaml"
	if diff := cmp.Diff(want, problems.Error()); diff != "" {
		t.Error("-want +got", diff)
	}
	in.Env, in.Hostname = []string{"VBRD_CONFIG=../../examples/config/minimal/vbrd.yaml"}, func() (string, error) { return "", errors.New("broken") }
	if _, problems = config.Load(in); problems.Error() != "host: the system does not tell its name: broken; legal: 1..63 letters, digits, '-' and '.'" {
		t.Error(problems)
	}
}

// TestAPIAndStore: every key of the two sections, from the file and from the environment.
func TestAPIAndStore(t *testing.T) {
	file := `api:
  socket: /s
  socket_group: noc
  listen: '[2001:db8::1]:7443'
  tls: {certificate: /c, key: /k, client_ca: /ca}
  rate: 7
  roles:
    - {match: "uri:spiffe://example.net/acme", role: operator, owners: [acme, "acme's"]}
    - {match: "uid:0", role: admin}
metrics: {listen: '127.0.0.1:9342'}
glass: {listen: 'unix:/g'}
store:
  type: etcd
  etcd:
    endpoints: [https://192.0.2.1:2379]
    prefix: /x
    username: u
    password_file: /p
    tls: {ca: /eca, certificate: /ec, key: /ek}
    timeout: 9s
bmp: {collectors: ['192.0.2.50:11019', '[::1]:11019']}
mrt: {directory: /mrt/, interval: 90, keep: 2, size: 3}
`
	want := defaults()
	want.API = config.API{Socket: "/s", SocketGroup: "noc", Listen: "[2001:db8::1]:7443", TLS: config.APITLS{Certificate: "/c", Key: "/k", ClientCA: "/ca"}, Rate: 7,
		Roles: []config.Role{{Match: "uri:spiffe://example.net/acme", Role: "operator", Owners: []string{"acme", "acme's"}}, {Match: "uid:0", Role: "admin"}}}
	want.Metrics, want.Glass = "127.0.0.1:9342", "unix:/g"
	want.Collectors = []netip.AddrPort{netip.MustParseAddrPort("192.0.2.50:11019"), netip.MustParseAddrPort("[::1]:11019")}
	want.MRT = config.MRT{Directory: "/mrt", Interval: 90 * time.Second, Keep: 2, Size: 3 << 20}
	want.Store = config.Store{Type: "etcd", Path: "/var/lib/vbrd/intent.db", Etcd: config.Etcd{Endpoints: []string{"https://192.0.2.2:2379", "https://192.0.2.3:2379"}, Prefix: "/x", Username: "u",
		PasswordFile: "/p", TLS: config.EtcdTLS{CA: "/eca", Certificate: "/ec", Key: "/ek"}, Timeout: 9 * time.Second}}
	got, problems := load(t, file, []string{"VBRD_STORE_ETCD_ENDPOINTS=https://192.0.2.2:2379, https://192.0.2.3:2379"})
	if diff := cmp.Diff(want, got, byValue); diff != "" || problems != "" {
		t.Fatal(problems, "-want +got", diff)
	}
	again, problems := load(t, got.String(), nil)
	if diff := cmp.Diff(want, again, byValue); diff != "" || problems != "" {
		t.Error(problems, "-want +got", diff, got)
	}
}

// TestString: the text of settings is a settings file that gives them again.
func TestString(t *testing.T) {
	text := "nexthop_compat_mode: keep\nbackbone: {asn: 64600, vtep: 192.0.2.1, router_id: 1.2.3.4, prefixes: [10.0.0.0/8, '2001:db8::/32'], peers: [{address: 192.0.2.2, asn: 1, multihop: 3, passive: true, auth_key_file: \"/k'y\", hold: 9}, {address: '2001:db8::2', asn: 2, hold: 0}]}\n"
	want, problems := load(t, text, nil)
	if problems != "" {
		t.Fatal(problems)
	}
	got, problems := load(t, want.String(), nil)
	if diff := cmp.Diff(want, got, byValue); diff != "" || problems != "" {
		t.Error(problems, "-want +got", diff)
	}
}

func TestUsageNamesEveryFlag(t *testing.T) {
	for _, flag := range []string{"--config", "--check", "--cleanup", "--version", "--help", "--host", "--resources", "--state-dir", "--log-level", "--log-format"} {
		if !strings.Contains(config.Usage(), flag) {
			t.Errorf("no %s in usage", flag)
		}
	}
}

func TestCheckIntent(t *testing.T) {
	resources := func(vrf, ri string) *intent.Intent {
		docs, problems := intent.Parse("r.yaml", []byte("kind: PhysicalConnection\nname: pc\ndevice: eth1\n---\nkind: VirtualBorderRouter\nname: vbr\n"+vrf+
			"physical_connection_id: pc\nlocal_gateway_ip: 192.0.2.9\npeer_gateway_ip: 192.0.2.10\npeering_subnet_mask: /30\n"+ri))
		in, more := intent.Build(docs)
		if len(problems)+len(more) > 0 {
			t.Fatal(problems, more)
		}
		return in
	}
	const ri = "---\nkind: RouterInterface\nname: ri\nrouter_id: vbr\nvni: 1\nroute_target: 1:1\n"
	with, _ := load(t, "backbone: {asn: 64600, vtep: 192.0.2.1, prefixes: [192.0.2.0/24]}", nil)
	without, _ := load(t, "", nil)
	for _, tt := range []struct {
		name string
		s    *config.Settings
		in   *intent.Intent
		want string
	}{
		{"OK: backbone", with, resources("", ri), ""},
		{"OK: no router interface, no backbone", without, resources("vrf: default\n", ""), ""},
		{"bad: router interface without backbone", without, resources("", ri),
			"r.yaml:12:1: RouterInterface/ri: the settings have no backbone; legal: backbone.asn and backbone.vtep in the settings, or no RouterInterface"},
		{"bad: default VRF within the backbone", with, resources("vrf: default\n", ri),
			"r.yaml:7:6: VirtualBorderRouter/vbr: link subnet 192.0.2.8/30 overlaps the backbone's 192.0.2.0/24 in the default VRF; legal: other link addresses, or a VRF of its own"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, config.CheckIntent(tt.s, tt.in).Error()); diff != "" {
				t.Error("-want +got", diff)
			}
		})
	}
	if got := with.Reserved(); len(got) != 2 || without.Reserved() != nil {
		t.Errorf("reserved %v", got)
	}
}

func TestCheckHost(t *testing.T) {
	s, _ := load(t, "backbone: {asn: 1, vtep: 192.0.2.1, peers: [{address: 192.0.2.2, asn: 1, auth_key_file: /no/such}, {address: 192.0.2.3, asn: 1}]}", nil)
	problems, warnings := config.CheckHost(s, intent.Host{})
	want := `FILE: backbone.peers[0].auth_key_file: "/no/such": key file does not exist; legal: a readable file of 6..80 printable ASCII characters on one line`
	if diff := cmp.Diff(want, problems.Error()); diff != "" || warnings != nil {
		t.Error(warnings, "-want +got", diff)
	}
}

// TestCheckAPI: what the sections name must be on the machine, before anything is touched.
func TestCheckAPI(t *testing.T) {
	s, problems := load(t, `api:
  socket_group: no-such-group
  listen: ":1"
  tls: {certificate: /no/cert, key: /no/key, client_ca: /no/ca}
  roles:
    - {match: "user:no-such-user", role: viewer}
    - {match: "group:root", role: viewer}
    - {match: "group:no-such-group", role: viewer}
store: {type: etcd, etcd: {endpoints: ["https://a:1"], username: u, password_file: /no/password, tls: {ca: /no/etcd-ca, certificate: /no/c, key: /no/k}}}
`, nil)
	if problems != "" {
		t.Fatal(problems)
	}
	got, _ := config.CheckHost(s, intent.Host{})
	want := `FILE: api.roles[0].match: "user:no-such-user": no such user on this system; legal: a user that there is, or uid:N
FILE: api.roles[2].match: "group:no-such-group": no such group on this system; legal: a group that there is
FILE: api.socket_group: "no-such-group": no such group on this system; legal: a group that there is
FILE: api.tls.certificate: "/no/cert": cannot be used with api.tls.key: no such file or directory; legal: PEM files of a certificate and its key
FILE: api.tls.client_ca: "/no/ca": cannot be used: no such file or directory; legal: a PEM file of certificates
FILE: store.etcd.password_file: "/no/password": cannot be used: no such file or directory; legal: a readable file of 1..1024 bytes on one line
FILE: store.etcd.tls.ca: "/no/etcd-ca": cannot be used: no such file or directory; legal: a PEM file of certificates
FILE: store.etcd.tls.certificate: "/no/c": cannot be used with store.etcd.tls.key: no such file or directory; legal: PEM files of a certificate and its key`
	if diff := cmp.Diff(want, got.Error()); diff != "" {
		t.Error("-want +got", diff)
	}
}

func FuzzLoad(f *testing.F) {
	for _, c := range badCases() {
		f.Add(c.file)
	}
	path := filepath.Join(f.TempDir(), "vbrd.yaml")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s, problems := config.Load(config.Input{Args: []string{"--config", path, "--host", "h"}})
		if (s == nil) == (problems.Err() == nil) {
			t.Errorf("settings %v beside %v", s, problems)
		}
	})
}

// TestCollectorsAreReserved: no customer may announce where the collectors are, or it would be told what others announce.
func TestCollectorsAreReserved(t *testing.T) {
	s, problems := load(t, "backbone: {asn: 64600, vtep: 192.0.2.1}\nbmp: {collectors: ['198.51.100.7:11019', '[2001:db8::50]:11019']}\n", nil)
	if problems != "" {
		t.Fatal(problems)
	}
	for _, want := range []string{"192.0.2.1/32", "198.51.100.7/32", "2001:db8::50/128"} {
		if !slices.Contains(s.Reserved(), netip.MustParsePrefix(want)) {
			t.Errorf("%s is not reserved: %v", want, s.Reserved())
		}
	}
}
