package main

import (
	"bytes"
	"encoding/csv"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// every calls f for each command that a user sees.
func every(c *cobra.Command, f func(*cobra.Command)) {
	if c.Hidden || c.Name() == "help" {
		return
	}
	f(c)
	for _, sub := range c.Commands() {
		every(sub, f)
	}
}

func testApp() *app {
	return newApp(func(string) string { return "" }, nil, nil, nil)
}

// words splits a line of an example as a shell would.
func words(t *testing.T, line string) []string {
	t.Helper()
	r := csv.NewReader(strings.NewReader(line))
	r.Comma, r.LazyQuotes = ' ', true
	out, err := r.Read()
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return out
}

// Every command says what it is and shows at least two examples that are right.
func TestHelp(t *testing.T) {
	vbrctl := regexp.MustCompile(`vbrctl [^|>\n]*`)
	every(testApp().root(), func(c *cobra.Command) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") || c.Short[:1] != strings.ToUpper(c.Short[:1]) {
			t.Errorf("%s: Short is %q", c.CommandPath(), c.Short)
		}
		examples := vbrctl.FindAllString(c.Example, -1)
		if len(examples) < 2 {
			t.Errorf("%s: %d examples, want 2 at least", c.CommandPath(), len(examples))
		}
		for _, e := range examples {
			root := testApp().root() // flags keep their values
			found, args, err := root.Find(words(t, strings.TrimSpace(e))[1:])
			if err == nil {
				err = found.ParseFlags(args)
			}
			if err == nil {
				err = found.ValidateArgs(found.Flags().Args())
			}
			if err == nil && found.HasSubCommands() {
				err = unknownCommand(found, append(found.Flags().Args(), "?"))
			}
			if err != nil {
				t.Errorf("%s: example %q: %v", c.CommandPath(), e, err)
			}
			if c.Runnable() && !c.HasSubCommands() && found.CommandPath() != c.CommandPath() && !strings.Contains(c.Example, c.CommandPath()+" ") {
				t.Errorf("%s: example %q is of %s", c.CommandPath(), e, found.CommandPath())
			}
		}
	})
}

// No command has a flag whose usage says nothing.
func TestFlags(t *testing.T) {
	line := regexp.MustCompile(`(?m)^ +(-\w, )?--\S+( \S+)?$`)
	every(testApp().root(), func(c *cobra.Command) {
		if bad := line.FindString(c.LocalFlags().FlagUsages()); bad != "" {
			t.Errorf("%s: %q has no text", c.CommandPath(), bad)
		}
	})
}

func TestUsage(t *testing.T) {
	f := start(t)
	for _, tt := range []struct {
		args, want string
	}{
		{"shwo", "there is no command \"shwo\" in vbrctl; did you mean show?\nsee `vbrctl --help`\n"},
		{"show session2", "there is no command \"session2\" in vbrctl show; did you mean sessions?\nsee `vbrctl show --help`\n"},
		{"show host now", "\"now\" is one argument too many\nusage: vbrctl show host [flags]\n"},
		{"explain", "too few arguments\nusage: vbrctl explain PREFIX|ADDRESS [flags]\n"},
		{"show host --wath", "unknown flag: --wath\nsee `vbrctl show host --help`\n"},
		{"show host -o xml", "--output \"xml\" is no format; legal: table, wide, json, yaml\n"},
		{"show host --timeout 0s", "--timeout 0s; legal: more than 0\n"},
		{"show host --watch=1ms", "--watch=1ms; legal: 100ms or more\n"},
		{"show host --socket a --address b:1", "--socket and --address exclude each other\n"},
		{"show host --address b:1", "--address needs --cert, --key and --ca too: vbrd wants to know who you are\n"},
		{"show routes -r vbr-acme 10.2.3.4", "10.2.3.4 is an address; legal: a prefix such as 10.2.3.4/32, or `vbrctl explain 10.2.3.4`\n"},
		{"show routes -r vbr-acme 10.2.3.4/24", "10.2.3.4/24 has host bits set; did you mean 10.2.3.0/24?\n"},
		{"show routes -r vbr-acme ten", "\"ten\" is no prefix; legal: such as 10.2.3.0/24 or 2001:db8::/32\n"},
		{"show routes -r vbr-acme -4 -6", "-4 and -6 exclude each other\n"},
		{"show routes -r vbr-acme --longer", "--longer needs a PREFIX\n"},
		{"show routes -r vbr-acme --stage in", "--stage \"in\" is no stage; legal: received, accepted, rejected, best, kernel, advertised, exported\n"},
		{"history 10.2.3.4/24", "10.2.3.4/24 has host bits set; did you mean 10.2.3.0/24?\n"},
		{"history -r vbr-acme", "--router needs a PREFIX: vbrctl history PREFIX -r vbr-acme\n"},
		{"history -n 5 10.2.3.0/24", "--limit is for revisions, without a PREFIX\n"},
		{"show routes", "which router? there are vbr-acme, vbr-beta\nname one with -r\n"},
		{"apply", "which resources? -f FILE, -f FOLDER or -f -\n"},
		{"apply -f x.yaml --confirm 1s", "--confirm 1s; legal: 10s..24h\n"},
		{"apply -f x.yaml --wait --dry-run", "--wait and --dry-run exclude each other\n"},
		{"delete", "what is to be deleted? KIND NAME or -f FILE\nsee `vbrctl get all`\n"},
		{"delete vbr a -f b", "KIND NAME and -f exclude each other\n"},
		{"delete all a", "all is more than one kind; legal: pc, vbr, vr, ri, ha\n"},
		{"get router", "\"router\" is no kind; legal: pc, vbr, vr, ri, ha, all\n"},
		{"rollback one", "\"one\" is no revision; legal: a number, see `vbrctl history`\n"},
		{"reset", "which sessions? ROUTER/PEER, or -r ROUTER for all of a router\nsee `vbrctl show sessions`\n"},
		{"reset 10.0.0.2", "10.0.0.2: of which router? legal: ROUTER/10.0.0.2, or -r ROUTER\n"},
		{"reset vbr-acme/x", "vbr-acme/x: \"x\" is no peer's address; see `vbrctl show sessions -r vbr-acme`\n"},
		{"reset -r vbr-beta vbr-acme/10.0.0.2", "vbr-acme/10.0.0.2 is not a session of -r vbr-beta\n"},
		{"top", "top needs a terminal; see `vbrctl show routers --watch`\n"},
		{"completion ksh", "\"ksh\" is no shell that is known; legal: bash, zsh, fish, powershell\n"},
	} {
		r := f.vbrctl(t, strings.Fields(tt.args)...)
		if r.status != exitUsage || r.err != tt.want || r.out != "" {
			t.Errorf("%s: status %d\n%s%s\nwant\n%s", tt.args, r.status, r.out, r.err, tt.want)
		}
	}
}

// --version needs no vbrd, and names the commit as well.
func TestVersionFlag(t *testing.T) {
	var out, errOut bytes.Buffer
	status := run(t.Context(), []string{"--version"}, func(string) string { return "" }, strings.NewReader(""), &out, &errOut)
	if status != exitOK || !strings.HasPrefix(out.String(), "vbrctl unknown (commit unknown, go1.") || errOut.Len() > 0 {
		t.Errorf("status %d: %s%s", status, out.String(), errOut.String())
	}
}
