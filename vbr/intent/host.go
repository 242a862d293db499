package intent

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"strings"

	"github.com/openvbr/openvbr/vbr/intent/source"
)

// HostFacts is what CheckHost asks of the machine.
type HostFacts interface {
	// Devices lists the network devices there are.
	Devices() ([]string, error)
	// ReadKey is as the function of that name.
	ReadKey(path string) (string, error)
	// KeyExposed is as the function of that name.
	KeyExposed(path string) (fs.FileMode, bool)
	// CustomerKeys is where the keys of customers' peers are.
	CustomerKeys() KeyDir
}

// Host is the machine we run on; devices are those of the calling thread's network namespace.
type Host struct {
	Keys KeyDir
}

// Devices lists the network devices of the namespace.
func (Host) Devices() ([]string, error) {
	interfaces, err := net.Interfaces()
	names := make([]string, len(interfaces))
	for i := range interfaces {
		names[i] = interfaces[i].Name
	}
	return names, err
}

// ReadKey reads a key file.
func (Host) ReadKey(path string) (string, error) { return ReadKey(path) }

// KeyExposed looks at the mode of a key file.
func (Host) KeyExposed(path string) (fs.FileMode, bool) { return KeyExposed(path) }

// CustomerKeys is Keys.
func (h Host) CustomerKeys() KeyDir { return h.Keys }

// CheckHost checks a valid Intent against the machine: ports that are missing, key files that cannot be used.
// Warnings (a key file that others may read) are worth a log line but do not stop anything.
func CheckHost(in *Intent, host HostFacts) (problems, warnings Errors) {
	c := &checker{in: in}
	c.hostDevices(host)
	for i := range in.Routers {
		warnings = append(warnings, c.hostKeys(host, &in.Routers[i])...)
	}
	c.problems.Sort()
	warnings.Sort()
	return c.problems, warnings
}

func (c *checker) hostDevices(host HostFacts) {
	devices, err := host.Devices()
	if err != nil {
		c.problems.Add(source.Problem{Text: "network devices cannot be listed: " + err.Error()})
		return
	}
	slices.Sort(devices)
	for i := range c.in.PhysicalConnections {
		pc := &c.in.PhysicalConnections[i]
		if !slices.Contains(devices, pc.Device) {
			c.fail(pc.Origin, pc.label(), "device", source.Quote(pc.Device), "no such network device on this host", someOf(devices))
		}
	}
}

// someOf lists devices, without the loopback and not too many.
func someOf(devices []string) string {
	devices = slices.DeleteFunc(slices.Clone(devices), func(d string) bool { return d == "lo" })
	if len(devices) > 16 {
		return strings.Join(devices[:16], ", ") + fmt.Sprintf(" and %d more", len(devices)-16)
	}
	return strings.Join(devices, ", ")
}

func (c *checker) hostKeys(host HostFacts, r *Router) (warnings Errors) {
	keys := host.CustomerKeys()
	for i, p := range r.Peers {
		field, value := "auth_key_file", p.AuthKeyFile
		if p.Credential != "" {
			field, value = "key_credential", p.Credential
		}
		if value == "" {
			continue
		}
		path := join(item("bgp_peers", i), field)
		if _, mode, err := keys.Key(r.Owner, &p); err != nil {
			text, legal := keys.problem(r.Owner, err)
			c.fail(r.Origin, r.label(), path, source.Quote(value), text, legal)
		} else if mode&0o007 != 0 {
			warnings.Add(source.Problem{Pos: r.Origin.At(path), Path: join(r.label(), path), Value: source.Quote(value),
				Text: fmt.Sprintf("key file has mode %04o: anyone may use it", mode), Legal: "0600 or 0640"})
		}
	}
	return warnings
}

// KeyProblem splits an error of ReadKey into what is wrong and what would be legal, without the file's name.
func KeyProblem(err error) (text, legal string) {
	const content = "6..80 printable ASCII characters on one line"
	switch {
	case errors.Is(err, ErrNoCredentials):
		return "vbrd was started without systemd credentials", "a credential of vbrd's unit, by LoadCredential= or SetCredentialEncrypted="
	case errors.Is(err, errKey):
		return "file does not hold a key", content
	case errors.Is(err, fs.ErrNotExist):
		return "key file does not exist", "a readable file of " + content
	case errors.Is(err, fs.ErrPermission):
		return "key file cannot be read: permission denied", "a readable file of " + content
	}
	if errors.Is(err, errIrregular) {
		return "key file is not a regular file", "a readable file of " + content
	}
	return "key file cannot be read", "a readable file of " + content
}
