package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// badCase is a settings file, an environment and flags with the exact words an operator reads.
type badCase struct {
	name, file string
	env, args  []string
	want       string
}

func badCases() []badCase {
	return []badCase{
		{name: "bad: unknown keys, all of them", file: "hots: a\nlog: {levle: info, color: red}\ntimers:\n  restart_time: 3s\nbackbone: {asn: 1, vtep: 192.0.2.1, peers: [{address: 192.0.2.2, asn: 1, password: s3cr3t-k3y}]}\nlogging: {}\n",
			want: `FILE:1:1: hots: unknown key; did you mean "host"?
FILE:2:7: log.levle: unknown key; did you mean "level"?
FILE:2:20: log.color: unknown key; legal: level, format
FILE:4:3: timers.restart_time: unknown key; did you mean "restart"?
FILE:5:74: backbone.peers[0].password: unknown key; legal: address, asn, auth_key_file, hold, keepalive, connect_retry, multihop, passive
FILE:6:1: logging: unknown key; did you mean "log"?`},
		{name: "bad: key given twice", file: "host: a\nhost: b\n",
			want: `FILE:2:1: key "host" is given twice, first at FILE:1:1`},
		{name: "bad: keys in other case", file: "Host: a\n",
			want: `FILE:1:1: Host: unknown key; did you mean "host"?`},
		{name: "bad: key with viper's delimiter", file: "log::level: debug\n",
			want: `FILE:1:1: log::level: unknown key; did you mean "log"?`},
		{name: "bad: mapping expected", file: "log: debug\ntimers: [1]\n",
			want: `FILE:1:6: log: "debug": not a mapping; legal: level, format
FILE:2:9: timers: a list of 1: not a mapping; legal: restart, deferral, stale, audit`},
		{name: "bad: region", file: "region: North_1\n",
			want: `FILE:1:9: region: "North_1": not a region name; legal: 1..63 of a-z, 0-9 and '-'`},
		{name: "bad: value expected", file: "host: [a]\nlog: {level: {a: b}}\n",
			want: `FILE:1:7: host: a list of 1: not a single value; legal: 1..63 letters, digits, '-' and '.'
FILE:2:15: log.level: a mapping of 1 keys: not a single value; legal: debug, info, warn, error`},
		{name: "bad: list expected", file: "backbone: {asn: 1, vtep: 192.0.2.1, prefixes: 10.0.0.0/8, peers: {address: 192.0.2.2}}\n",
			want: `FILE:1:47: backbone.prefixes: "10.0.0.0/8": not a list; legal: a list of prefixes such as 192.0.2.0/24
FILE:1:67: backbone.peers: a mapping of 1 keys: not a list; legal: a list of peers`},
		{name: "bad: peer is no mapping", file: "backbone: {asn: 1, vtep: 192.0.2.1, peers: [192.0.2.2]}\n",
			want: `FILE:1:45: backbone.peers[0]: "192.0.2.2": not a mapping; legal: address, asn, auth_key_file, hold, keepalive, connect_retry, multihop, passive`},
		{name: "bad: no value", file: "host:\nbackbone:\nlog: {level: }\n",
			want: `FILE:1:1: host: has no value; leave the key out or give it one; legal: 1..63 letters, digits, '-' and '.'
FILE:2:1: backbone: has no value; leave the key out or give it one
FILE:3:7: log.level: has no value; leave the key out or give it one; legal: debug, info, warn, error`},
		{name: "bad: not YAML", file: "host: {a\n",
			want: `FILE:1:8: not YAML: could not find flow map content`},
		{name: "bad: a list", file: "- host\n",
			want: `FILE:1:1: a list of 1: not a mapping; legal: host, region, resources, state_dir, key_dir, log, backbone, timers, nexthop_compat_mode, table_base, runtime, api, metrics, glass, store, bmp, mrt`},
		{name: "bad: second document", file: "host: a\n---\nkind: RouterInterface\n",
			want: `FILE:3:1: a second document; legal: one document of settings; resources go to the resources folder`},
		{name: "bad: every scalar", file: "host: a b\nresources: r.d\nstate_dir: var\nlog: {level: loud, format: xml}\ntimers: {restart: 0, deferral: 1h, stale: soon, audit: 1500ms}\nnexthop_compat_mode: 1\ntable_base: 254\nruntime: {gc_percent: 5, memory_limit: 1}\n",
			want: `FILE:1:7: host: "a b": not a host name; legal: 1..63 letters, digits, '-' and '.'
FILE:2:12: resources: "r.d": not an absolute path; legal: an absolute path
FILE:3:12: state_dir: "var": not an absolute path; legal: an absolute path
FILE:4:14: log.level: "loud": not a log level; legal: debug, info, warn, error
FILE:4:28: log.format: "xml": not one of the choices; legal: auto, text, json
FILE:5:19: timers.restart: 0: out of range; legal: 1s..4095s
FILE:5:32: timers.deferral: "1h": out of range; legal: 10s..30s
FILE:5:43: timers.stale: "soon": not a duration; legal: 1s..3600s
FILE:5:56: timers.audit: "1500ms": not whole seconds; legal: 1s..3600s
FILE:6:22: nexthop_compat_mode: 1: not one of the choices; legal: 0 (set the sysctl to 0), keep (leave it alone)
FILE:7:13: table_base: 254: out of range; legal: 1000..4000000000
FILE:8:23: runtime.gc_percent: 5: out of range; legal: 10..1000
FILE:8:40: runtime.memory_limit: 1: out of range; legal: 0 (none) or 64..1048576 MiB`},
		{name: "bad: backbone", file: "backbone: {asn: 65535, router_id: 0.0.0.0, vtep: 224.0.0.1, prefixes: [10.0.0.1/8, x, 0.0.0.0/0]}\n",
			want: `FILE:1:17: backbone.asn: 65535: not a usable AS number; legal: 1..4294967294 except 23456 and 65535
FILE:1:35: backbone.router_id: "0.0.0.0": not a router id; legal: an IPv4 address other than 0.0.0.0
FILE:1:50: backbone.vtep: "224.0.0.1": not an address that can be used here; legal: a unicast IPv4 address of this host
FILE:1:72: backbone.prefixes[0]: "10.0.0.1/8": has bits beyond its length; legal: 10.0.0.0/8
FILE:1:84: backbone.prefixes[1]: "x": not a prefix; legal: a prefix such as 192.0.2.0/24 or 2001:db8::/32
FILE:1:87: backbone.prefixes[2]: "0.0.0.0/0": covers every address, so no customer could announce anything; legal: a prefix such as 192.0.2.0/24 or 2001:db8::/32`},
		{name: "bad: backbone without what it needs", file: "backbone:\n  prefixes: [10.0.0.0/8]\n",
			want: `FILE:2:3: backbone.asn: missing; legal: 1..4294967294 except 23456 and 65535
FILE:2:3: backbone.vtep: missing; legal: a unicast IPv4 address of this host`},
		{name: "bad: IPv6 VTEP", file: "backbone: {asn: 1, vtep: '2001:db8::1'}\n",
			want: `FILE:1:26: backbone.vtep: "2001:db8::1": not such an address; legal: a unicast IPv4 address of this host`},
		{name: "bad: peers", file: "backbone:\n  asn: 64600\n  vtep: 192.0.2.1\n  peers:\n    - {address: 192.0.2.1, asn: 64600}\n    - {address: 192.0.2.2, asn: 0}\n    - {address: 192.0.2.2, asn: 23456}\n    - {asn: x}\n    - {address: fe80::1, asn: 1, hold: 2, keepalive: 0, connect_retry: 3601, multihop: 256, passive: maybe}\n    - {address: 192.0.2.5, asn: 1, hold: 9, keepalive: 9}\n    - {address: 192.0.2.6, asn: 1, hold: 0, keepalive: 9}\n    - {}\n",
			want: `FILE:5:17: backbone.peers[0].address: "192.0.2.1": this host's own VTEP; legal: another host's address
FILE:6:33: backbone.peers[1].asn: 0: out of range; legal: 1..4294967294 except 23456 and 65535
FILE:7:17: backbone.peers[2].address: "192.0.2.2": peer is given twice, first as backbone.peers[1]; legal: one session an address
FILE:7:33: backbone.peers[2].asn: 23456: not a usable AS number; legal: 1..4294967294 except 23456 and 65535
FILE:8:8: backbone.peers[3].address: missing; legal: a unicast IPv4 or IPv6 address without zone
FILE:8:13: backbone.peers[3].asn: "x": not a whole number; legal: 1..4294967294 except 23456 and 65535
FILE:9:17: backbone.peers[4].address: "fe80::1": not an address that can be used here; legal: a unicast IPv4 or IPv6 address without zone
FILE:9:40: backbone.peers[4].hold: 2: out of range; legal: 0 or 3..65535 seconds
FILE:9:54: backbone.peers[4].keepalive: 0: out of range; legal: 1..65534 seconds, below hold
FILE:9:72: backbone.peers[4].connect_retry: 3601: out of range; legal: 1..3600 seconds
FILE:9:88: backbone.peers[4].multihop: 256: out of range; legal: 0..255
FILE:9:102: backbone.peers[4].passive: "maybe": neither true nor false; legal: true, false
FILE:10:56: backbone.peers[5].keepalive: 9: not below hold, 9 seconds; legal: 1..8 seconds, better at most 3
FILE:11:56: backbone.peers[6].keepalive: 9: hold 0 turns keepalives off; legal: no keepalive, or a hold of 3..65535 seconds
FILE:12:7: backbone.peers[7].address: missing; legal: a unicast IPv4 or IPv6 address without zone
FILE:12:7: backbone.peers[7].asn: missing; legal: 1..4294967294 except 23456 and 65535`},
		{name: "bad: api", file: "api:\n  socket: run/vbrd.sock\n  socket_group: a b\n  listen: 192.0.2.1\n  tls: {certificate: cert, key: s3cr3t-k3y}\n  rate: 0\n  roles:\n    - {match: noc, role: root}\n    - {match: 'uid:x', role: operator}\n    - {match: 'cn:', role: viewer, owners: ['', [a], \"a\\nb\"]}\n    - {owners: acme}\n    - noc\n    - {mach: x}\n",
			want: `FILE:2:11: api.socket: "run/vbrd.sock": not an absolute path; legal: an absolute path of at most 107 bytes
FILE:3:17: api.socket_group: "a b": not a group's name; legal: a group of this system
FILE:4:11: api.listen: "192.0.2.1": not an address with a port; legal: ADDRESS:PORT, such as 192.0.2.1:7443 or [2001:db8::1]:7443
FILE:5:9: api.tls.client_ca: missing; legal: an absolute path of a PEM file: api.listen is for mutual TLS only
FILE:5:22: api.tls.certificate: "cert": not an absolute path; legal: an absolute path of a PEM file
FILE:5:33: api.tls.key: not an absolute path; legal: an absolute path of a PEM file
FILE:6:9: api.rate: 0: out of range; legal: 1..10000 calls a second
FILE:8:15: api.roles[0].match: "noc": not a match; legal: uid:N, user:NAME, group:NAME, uri:URI, cn:NAME
FILE:8:26: api.roles[0].role: "root": not one of the choices; legal: viewer, operator, admin
FILE:9:8: api.roles[1].owners: an operator without owners sees nothing; legal: at least one owner, or role viewer or admin
FILE:9:15: api.roles[1].match: "uid:x": not a match; legal: uid:N, user:NAME, group:NAME, uri:URI, cn:NAME
FILE:10:15: api.roles[2].match: "cn:": not a match; legal: uid:N, user:NAME, group:NAME, uri:URI, cn:NAME
FILE:10:45: api.roles[2].owners[0]: "": not an owner label; legal: a list of owner labels of 1..64 printable characters
FILE:10:49: api.roles[2].owners[1]: a list of 1: not a single value; legal: a list of owner labels of 1..64 printable characters
FILE:10:54: api.roles[2].owners[2]: "a\nb": not an owner label; legal: a list of owner labels of 1..64 printable characters
FILE:11:8: api.roles[3].match: missing; legal: uid:N, user:NAME, group:NAME, uri:URI, cn:NAME
FILE:11:8: api.roles[3].role: missing; legal: viewer, operator, admin
FILE:11:16: api.roles[3].owners: "acme": not a list; legal: a list of owner labels of 1..64 printable characters
FILE:12:7: api.roles[4]: "noc": not a mapping; legal: match, role, owners
FILE:13:8: api.roles[5].mach: unknown key; did you mean "match"?
FILE:13:8: api.roles[5].match: missing; legal: uid:N, user:NAME, group:NAME, uri:URI, cn:NAME
FILE:13:8: api.roles[5].role: missing; legal: viewer, operator, admin`},
		{name: "bad: api, socket too long", file: "api: {socket: /" + strings.Repeat("x", 107) + "}\n",
			want: `FILE:1:15: api.socket: "/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"...: too long for a socket; legal: an absolute path of at most 107 bytes`},
		{name: "bad: metrics for all", file: "metrics: {listen: ':9342'}\n",
			want: `FILE:1:19: metrics.listen: ":9342": not an address with a port; legal: ADDRESS:PORT, such as 127.0.0.1:9342 or [::1]:9342, or unix: and an absolute path of at most 107 bytes`},
		{name: "bad: collectors and dumps", file: "bmp: {collectors: ['192.0.2.50:11019', '192.0.2.50', '[2001:db8::50]:0', '192.0.2.50:11019', '0.0.0.0:5', 'collector:11019']}\nmrt: {directory: mrt, interval: 25h, keep: 0, size: 1GiB}\n",
			want: `FILE:1:40: bmp.collectors[1]: "192.0.2.50": not an address with a port; legal: at most 4 of ADDRESS:PORT, such as 192.0.2.50:11019 or [2001:db8::50]:11019
FILE:1:54: bmp.collectors[2]: "[2001:db8::50]:0": not an address with a port; legal: at most 4 of ADDRESS:PORT, such as 192.0.2.50:11019 or [2001:db8::50]:11019
FILE:1:74: bmp.collectors[3]: "192.0.2.50:11019": given twice; legal: each collector once
FILE:1:94: bmp.collectors[4]: "0.0.0.0:5": not an address with a port; legal: at most 4 of ADDRESS:PORT, such as 192.0.2.50:11019 or [2001:db8::50]:11019
FILE:1:107: bmp.collectors[5]: "collector:11019": not an address with a port; legal: at most 4 of ADDRESS:PORT, such as 192.0.2.50:11019 or [2001:db8::50]:11019
FILE:2:18: mrt.directory: "mrt": not an absolute path; legal: an absolute path
FILE:2:33: mrt.interval: "25h": out of range; legal: 1s..24h
FILE:2:44: mrt.keep: 0: out of range; legal: 1..10000 files of a router
FILE:2:53: mrt.size: "1GiB": not a whole number; legal: 1..1048576 MiB`},
		{name: "bad: a collector too many", file: "bmp: {collectors: ['192.0.2.1:1', '192.0.2.2:1', '192.0.2.3:1', '192.0.2.4:1', '192.0.2.5:1']}\n",
			want: `FILE:1:80: bmp.collectors[4]: "192.0.2.5:1": one too many; legal: at most 4 of ADDRESS:PORT, such as 192.0.2.50:11019 or [2001:db8::50]:11019`},
		{name: "bad: glass, socket", file: "glass: {listen: 'unix:g.sock'}\n",
			want: `FILE:1:17: glass.listen: "unix:g.sock": not an absolute path that a socket may have; legal: ADDRESS:PORT of the loopback, such as 127.0.0.1:9343 or [::1]:9343, unix: and an absolute path of at most 107 bytes, or with api.tls any ADDRESS:PORT`},
		{name: "bad: glass, name", file: "glass: {listen: 'localhost:9343'}\n",
			want: `FILE:1:17: glass.listen: "localhost:9343": not an address with a port; legal: ADDRESS:PORT of the loopback, such as 127.0.0.1:9343 or [::1]:9343, unix: and an absolute path of at most 107 bytes, or with api.tls any ADDRESS:PORT`},
		{name: "bad: glass for all, nobody asked", file: "glass: {listen: ':9343'}\napi: {tls: {key: /k, client_ca: /ca}}\n",
			want: `FILE:2:13: api.tls.certificate: missing; legal: an absolute path of a PEM file: glass.listen beyond the loopback is for mutual TLS only`},
		{name: "bad: TLS for a glass of the loopback", file: "glass: {listen: '[::1]:9343'}\napi: {tls: {key: /k}}\n",
			want: `FILE:2:18: api.tls.key: "/k": for nothing without api.listen; legal: api.listen too, or not this`},
		{name: "bad: metrics, socket", file: "metrics: {listen: 'unix:m.sock'}\n",
			want: `FILE:1:19: metrics.listen: "unix:m.sock": not an absolute path that a socket may have; legal: ADDRESS:PORT, such as 127.0.0.1:9342 or [::1]:9342, or unix: and an absolute path of at most 107 bytes`},
		{name: "bad: api, tls without listen and key in place of its file, never shown", file: "api: {tls: {key: s3cr3t-k3y}}\n",
			want: `FILE:1:18: api.tls.key: for nothing without api.listen; legal: api.listen too, or not this`},
		{name: "bad: store", file: "store: {type: sqlite, path: x}\n",
			want: `FILE:1:15: store.type: "sqlite": not one of the choices; legal: bbolt, etcd
FILE:1:29: store.path: "x": not an absolute path; legal: an absolute path`},
		{name: "bad: store, etcd's keys for bbolt", file: "store: {etcd: {endpoints: ['http://a:1']}}\n",
			want: `FILE:1:28: store.etcd.endpoints[0]: "http://a:1": for nothing while store.type is bbolt; legal: store.type: etcd, or not this`},
		{name: "bad: store, etcd", file: "store:\n  type: etcd\n  etcd:\n    endpoints: [a:1, 'http://a', 'http://a:1', 'https://u:s3cr3t-k3y@b:1', 'https://b:2']\n    prefix: x/\n    username: u\n    timeout: 2m\n    tls: {ca: x, key: s3cr3t-k3y}\n",
			want: `FILE:4:5: store.etcd.password_file: missing; legal: both of store.etcd.username and store.etcd.password_file, or none
FILE:4:17: store.etcd.endpoints[0]: "a:1": not such a URL; legal: http://HOST:PORT or https://HOST:PORT; users belong to store.etcd.username
FILE:4:22: store.etcd.endpoints[1]: "http://a": not such a URL; legal: http://HOST:PORT or https://HOST:PORT; users belong to store.etcd.username
FILE:4:48: store.etcd.endpoints[3]: not such a URL; legal: http://HOST:PORT or https://HOST:PORT; users belong to store.etcd.username
FILE:5:13: store.etcd.prefix: "x/": not a prefix of keys; legal: '/' and 1..127 printable characters, the last not '/'
FILE:7:14: store.etcd.timeout: "2m": out of range; legal: 1s..60s
FILE:8:11: store.etcd.tls.certificate: missing; legal: both of store.etcd.tls.certificate and store.etcd.tls.key, or none
FILE:8:15: store.etcd.tls.ca: "x": for nothing while an endpoint is http; legal: https endpoints, or not this
FILE:8:15: store.etcd.tls.ca: "x": not an absolute path; legal: an absolute path of a PEM file
FILE:8:23: store.etcd.tls.key: for nothing while an endpoint is http; legal: https endpoints, or not this
FILE:8:23: store.etcd.tls.key: not an absolute path; legal: an absolute path of a PEM file`},
		{name: "bad: store, etcd by http and https", file: "store: {type: etcd, etcd: {endpoints: ['http://a:1', 'https://b:2']}}\n",
			want: `FILE:1:40: store.etcd.endpoints[0]: "http://a:1": http and https are mixed; legal: all the same`},
		{name: "bad: store, etcd without endpoints, password in place of its file, never shown", file: "store: {type: etcd, etcd: {password_file: s3cr3t-k3y}}\n",
			want: `FILE:1:28: store.etcd.endpoints: missing; legal: a list of 1..16 URLs such as https://192.0.2.1:2379
FILE:1:28: store.etcd.username: missing; legal: both of store.etcd.username and store.etcd.password_file, or none
FILE:1:43: store.etcd.password_file: not an absolute path; legal: an absolute path of a file that holds the password`},
		{name: "bad: key instead of its file, never shown", file: "backbone: {asn: 1, vtep: 192.0.2.1, peers: [{address: 192.0.2.2, asn: 1, auth_key_file: s3cr3t-k3y}, {address: 192.0.2.3, asn: 1, auth_key_file: [s3cr3t-k3y]}]}\n",
			want: `FILE:1:89: backbone.peers[0].auth_key_file: not an absolute path; legal: an absolute path of a file that holds the key
FILE:1:146: backbone.peers[1].auth_key_file: not a single value; legal: an absolute path of a file that holds the key`},
		{name: "bad: environment", env: []string{"VBRD_LOGLEVEL=debug", "VBRD_COLOUR=red", "VBRD_LOG_LEVEL=loud", "VBRD_BACKBONE_ASN=1", "VBRD_BACKBONE_VTEP=x", "VBRD_BACKBONE_PREFIXES=10.0.0.0/8,y"},
			want: `VBRD_BACKBONE_PREFIXES: backbone.prefixes[1]: "y": not a prefix; legal: a prefix such as 192.0.2.0/24 or 2001:db8::/32
VBRD_BACKBONE_VTEP: backbone.vtep: "x": not such an address; legal: a unicast IPv4 address of this host
VBRD_COLOUR: unknown variable; legal: VBRD_CONFIG, VBRD_HOST, VBRD_REGION, VBRD_RESOURCES, VBRD_STATE_DIR, VBRD_KEY_DIR, VBRD_LOG_LEVEL, VBRD_LOG_FORMAT, VBRD_BACKBONE_ASN, VBRD_BACKBONE_ROUTER_ID, VBRD_BACKBONE_VTEP, VBRD_BACKBONE_PREFIXES, VBRD_TIMERS_RESTART, VBRD_TIMERS_DEFERRAL, VBRD_TIMERS_STALE, VBRD_TIMERS_AUDIT, VBRD_NEXTHOP_COMPAT_MODE, VBRD_TABLE_BASE, VBRD_RUNTIME_GC_PERCENT, VBRD_RUNTIME_MEMORY_LIMIT, VBRD_API_SOCKET, VBRD_API_SOCKET_GROUP, VBRD_API_LISTEN, VBRD_API_TLS_CERTIFICATE, VBRD_API_TLS_KEY, VBRD_API_TLS_CLIENT_CA, VBRD_API_RATE, VBRD_METRICS_LISTEN, VBRD_GLASS_LISTEN, VBRD_STORE_TYPE, VBRD_STORE_PATH, VBRD_STORE_ETCD_ENDPOINTS, VBRD_STORE_ETCD_PREFIX, VBRD_STORE_ETCD_USERNAME, VBRD_STORE_ETCD_PASSWORD_FILE, VBRD_STORE_ETCD_TLS_CA, VBRD_STORE_ETCD_TLS_CERTIFICATE, VBRD_STORE_ETCD_TLS_KEY, VBRD_STORE_ETCD_TIMEOUT, VBRD_BMP_COLLECTORS, VBRD_MRT_DIRECTORY, VBRD_MRT_INTERVAL, VBRD_MRT_KEEP, VBRD_MRT_SIZE
VBRD_LOGLEVEL: unknown variable; did you mean "VBRD_LOG_LEVEL"?
VBRD_LOG_LEVEL: log.level: "loud": not a log level; legal: debug, info, warn, error`},
		{name: "bad: flags", args: []string{"--log-levle=debug", "--check", "--cleanup", "--state-dir", "var", "--frobnicate", "now"},
			want: `--check --cleanup: flags exclude each other; legal: one of --check, --cleanup, --version
--frobnicate: unknown flag; legal: --config, --check, --cleanup, --version, --help, --host, --resources, --state-dir, --log-level, --log-format
--log-levle: unknown flag; did you mean "--log-level"?
--state-dir: state_dir: "var": not an absolute path; legal: an absolute path`},
		{name: "bad: flag without value", args: []string{"--log-level"},
			want: `command line: flag needs an argument: --log-level`},
		{name: "bad: a file for the environment to mend is still refused", file: "log: {levle: x}\n", env: []string{"VBRD_LOG_LEVEL=debug"},
			want: `FILE:1:7: log.levle: unknown key; did you mean "level"?`},
	}
}

func TestBadSettings(t *testing.T) {
	for _, c := range badCases() {
		t.Run(c.name, func(t *testing.T) {
			_, got := load(t, c.file, c.env, c.args...)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error("-want +got", diff)
			}
		})
	}
}
