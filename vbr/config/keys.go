package config

import (
	"strings"

	"github.com/spf13/pflag"
)

// delimiter separates the parts of a key inside viper; dots and colons occur in values and names.
const delimiter = "::"

// DefaultResources is the folder of the resources unless a source names another. It may be absent.
const DefaultResources = "/etc/vbrd/resources.d"

// DefaultKeyDir is the folder of the keys of customers' peers unless a source names another.
const DefaultKeyDir = "/etc/vbrd/keys"

// DefaultFile is the settings file read when neither --config nor VBRD_CONFIG names one.
const DefaultFile = "/etc/vbrd/vbrd.yaml"

// shape is what a key's value looks like in the file.
type shape uint8

const (
	scalar  shape = iota
	list          // of scalars; in the environment separated by commas
	objects       // a list of mappings; only in the file
)

// key is one setting.
type key struct {
	path  string // parts joined by the delimiter
	shape shape
	value string // default; "" when the key is required or computed
	legal string
	flag  string // name of its flag, "" when it has none
	usage string // of the flag
	of    []key  // of objects: the keys of an element
}

// keys lists every setting.
func keys() []key {
	return []key{
		{path: "host", legal: "1..63 letters, digits, '-' and '.'", flag: "host", usage: "name of this host (default: the system's)"},
		{path: "region", value: "default", legal: "1..63 of a-z, 0-9 and '-'"},
		{path: "resources", value: DefaultResources, legal: legalPath, flag: "resources", usage: "file or folder of the resources"},
		{path: "state_dir", value: "/var/lib/vbrd", legal: legalPath, flag: "state-dir", usage: "folder of what must outlive a reboot"},
		{path: "key_dir", value: DefaultKeyDir, legal: legalPath},
		{path: "log::level", value: "info", legal: "debug, info, warn, error", flag: "log-level", usage: "least level to log: debug, info, warn, error"},
		{path: "log::format", value: "auto", legal: "auto, text, json", flag: "log-format", usage: "auto (text on a terminal, else json), text, json"},
		{path: "backbone::asn", legal: legalASN},
		{path: "backbone::router_id", legal: "an IPv4 address other than 0.0.0.0"},
		{path: "backbone::vtep", legal: "a unicast IPv4 address of this host"},
		{path: "backbone::prefixes", shape: list, legal: "a list of prefixes such as 192.0.2.0/24"},
		{path: "backbone::peers", shape: objects, legal: "a list of peers", of: peerKeys()},
		{path: "timers::restart", value: "120s", legal: "1s..4095s"},
		{path: "timers::deferral", value: "15s", legal: "10s..30s"},
		{path: "timers::stale", value: "60s", legal: "1s..3600s"},
		{path: "timers::audit", value: "60s", legal: "1s..3600s"},
		{path: "nexthop_compat_mode", value: "0", legal: "0 (set the sysctl to 0), keep (leave it alone)"},
		{path: "table_base", value: "10000", legal: "1000..4000000000"},
		{path: "runtime::gc_percent", value: "70", legal: "10..1000"},
		{path: "runtime::memory_limit", value: "0", legal: legalMemory},
		{path: "api::socket", value: "/run/vbrd/vbrd.sock", legal: legalPath + " of at most 107 bytes"},
		{path: "api::socket_group", legal: "a group of this system"},
		{path: "api::listen", legal: "ADDRESS:PORT, such as 192.0.2.1:7443 or [2001:db8::1]:7443"},
		{path: "api::tls::certificate", legal: legalPath + " of a PEM file"},
		{path: "api::tls::key", legal: legalPath + " of a PEM file"},
		{path: "api::tls::client_ca", legal: legalPath + " of a PEM file"},
		{path: "api::roles", shape: objects, legal: "a list of roles", of: roleKeys()},
		{path: "api::rate", value: "50", legal: "1..10000 calls a second"},
		{path: "metrics::listen", legal: "ADDRESS:PORT, such as 127.0.0.1:9342 or [::1]:9342, or unix: and an absolute path of at most 107 bytes"},
		{path: "glass::listen", legal: legalGlass},
		{path: "store::type", value: "bbolt", legal: "bbolt, etcd"},
		{path: "store::path", legal: legalPath},
		{path: "store::etcd::endpoints", shape: list, legal: "a list of 1..16 URLs such as https://192.0.2.1:2379"},
		{path: "store::etcd::prefix", value: "/openvbr/v1", legal: "'/' and 1..127 printable characters, the last not '/'"},
		{path: "store::etcd::username", legal: "a user of etcd, with password_file"},
		{path: "store::etcd::password_file", legal: legalPath + " of a file that holds the password"},
		{path: "store::etcd::tls::ca", legal: legalPath + " of a PEM file"},
		{path: "store::etcd::tls::certificate", legal: legalPath + " of a PEM file"},
		{path: "store::etcd::tls::key", legal: legalPath + " of a PEM file"},
		{path: "store::etcd::timeout", value: "5s", legal: "1s..60s"},
		{path: "bmp::collectors", shape: list, legal: "at most 4 of ADDRESS:PORT, such as 192.0.2.50:11019 or [2001:db8::50]:11019"},
		{path: "mrt::directory", legal: legalPath},
		{path: "mrt::interval", value: "1h", legal: "1s..24h"},
		{path: "mrt::keep", value: "24", legal: "1..10000 files of a router"},
		{path: "mrt::size", value: "1024", legal: "1..1048576 MiB"},
	}
}

// roleKeys lists the keys of an element of api.roles; only owners may be left out, and not by an operator.
func roleKeys() []key {
	return []key{
		{path: "match", legal: legalMatch},
		{path: "role", legal: "viewer, operator, admin"},
		{path: "owners", shape: list, legal: "a list of owner labels of 1..64 printable characters"},
	}
}

// peerKeys lists the keys of an element of backbone.peers; only address and asn are required.
func peerKeys() []key {
	return []key{
		{path: "address", legal: "a unicast IPv4 or IPv6 address without zone"},
		{path: "asn", legal: legalASN},
		{path: "auth_key_file", legal: legalPath + " of a file that holds the key"},
		{path: "hold", value: "30", legal: "0 or 3..65535 seconds"},
		{path: "keepalive", legal: "1..65534 seconds, below hold"},
		{path: "connect_retry", value: "5", legal: "1..3600 seconds"},
		{path: "multihop", value: "0", legal: "0..255"},
		{path: "passive", value: "false", legal: "true, false"},
	}
}

const (
	legalPath   = "an absolute path"
	legalGlass  = "ADDRESS:PORT of the loopback, such as 127.0.0.1:9343 or [::1]:9343, unix: and an absolute path of at most 107 bytes, or with api.tls any ADDRESS:PORT"
	legalMemory = "0 (none) or 64..1048576 MiB"
	legalMatch  = "uid:N, user:NAME, group:NAME, uri:URI, cn:NAME"
	legalASN    = "1..4294967294 except 23456 and 65535"
)

// dotted is the path as errors show it.
func dotted(path string) string { return strings.ReplaceAll(path, delimiter, ".") }

// variable is the name of a key's environment variable: VBRD_LOG_LEVEL.
func (k key) variable() string {
	return "VBRD_" + strings.ToUpper(strings.ReplaceAll(k.path, delimiter, "_"))
}

// find returns the key of that path.
func find(all []key, path string) (key, bool) {
	for _, k := range all {
		if k.path == path {
			return k, true
		}
	}
	return key{}, false
}

// children lists the names one level below prefix ("" for the top): keys and groups of keys.
func children(all []key, prefix string) []string {
	var names []string
	for _, k := range all {
		rest := k.path
		if prefix != "" {
			var below bool
			if rest, below = strings.CutPrefix(k.path, prefix+delimiter); !below {
				continue
			}
		}
		name, _, _ := strings.Cut(rest, delimiter)
		if len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
	}
	return names
}

// flags makes a fresh flag set: those of the keys, --config, and the actions.
func flags() *pflag.FlagSet {
	fs := pflag.NewFlagSet("vbrd", pflag.ContinueOnError)
	fs.SortFlags = false
	fs.Usage = func() {}
	fs.StringP("config", "c", DefaultFile, "settings `file`")
	fs.Bool("check", false, "validate settings and resources, then exit: 0 when all is well, 2 otherwise")
	fs.Bool("cleanup", false, "remove all devices, tables and routes that vbrd owns on this host, then exit")
	fs.Bool("version", false, "print the version and exit")
	fs.BoolP("help", "h", false, "print this and exit")
	for _, k := range keys() {
		if k.flag != "" {
			fs.String(k.flag, k.value, k.usage)
		}
	}
	return fs
}

// Flags are those of vbrd's command line, for its manual.
func Flags() *pflag.FlagSet { return flags() }

// Usage is the text of --help.
func Usage() string {
	return "Usage: vbrd [flags]\n\nvbrd runs the virtual border routers of this host.\n\nFlags:\n" + flags().FlagUsages() +
		"\nEvery setting of the file may also come from the environment: log.level from VBRD_LOG_LEVEL, and so on.\n" +
		"Flags go before the environment, the environment before the file.\n"
}
