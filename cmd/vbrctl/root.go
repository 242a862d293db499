package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/client"
	"github.com/openvbr/openvbr/cmd/vbrctl/internal/output"
)

const (
	groupChange = "change"
	groupLook   = "look"
	groupPair   = "pair"
	groupAct    = "act"
)

// root builds the whole tree of commands.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "vbrctl",
		Short: "Operate the virtual border routers of a host",
		Long: `vbrctl changes what virtual border routers there should be, shows what they do and why, and operates them.

It talks to vbrd on this host over a unix socket, or to another host's over TCP with mutual TLS.
Exit status: 0 done, 1 failed, 2 wrong usage, 3 vbrd cannot be reached.`,
		Example: `  vbrctl show sessions
  vbrctl plan -f acme.yaml
  vbrctl apply -f acme.yaml --confirm 5m
  vbrctl explain 10.2.3.0/24 -r vbr-acme`,
		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Version:           about(),
		Args:              cobra.ArbitraryArgs,
		RunE:              unknownCommand,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return a.check(cmd) },
	}
	root.SetVersionTemplate("vbrctl {{.Version}}\n")
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w\nsee `%s --help`", err, cmd.CommandPath())
	})
	a.globalFlags(root)
	root.AddGroup(&cobra.Group{ID: groupLook, Title: "See what is:"}, &cobra.Group{ID: groupChange, Title: "Change what should be:"},
		&cobra.Group{ID: groupPair, Title: "Lines and pairs of two accounts:"},
		&cobra.Group{ID: groupAct, Title: "Operate:"})
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add(groupLook, a.showCmd(), a.explainCmd(), a.policyCmd(), a.eventsCmd(), a.qualityCmd(), a.usageCmd(), a.topCmd())
	add(groupChange, a.planCmd(), a.applyCmd(), a.confirmCmd(), a.deleteCmd(), a.getCmd(), a.watchCmd(), a.historyCmd(), a.diffCmd(), a.rollbackCmd())
	add(groupPair, a.acceptCmd(), a.activateCmd(), a.deactivateCmd(), a.confirmVBRCmd(), a.terminateCmd(), a.recoverCmd())
	add(groupAct, a.resetCmd(), a.drainCmd(), a.undrainCmd(), a.drillCmd(), a.pingCmd(), a.tracerouteCmd(), a.mtuCmd(), a.captureCmd())
	add("", a.completionCmd(), a.versionCmd())
	add("", a.manCmd()...)
	return root
}

// globalFlags defines the flags of all commands; their defaults come from the environment.
func (a *app) globalFlags(root *cobra.Command) {
	f := root.PersistentFlags()
	from := func(name, otherwise string) string {
		if v := a.env("VBRCTL_" + name); v != "" {
			return v
		}
		return otherwise
	}
	f.StringVar(&a.options.Socket, "socket", from("SOCKET", client.DefaultSocket), "vbrd's unix `path` ($VBRCTL_SOCKET)")
	f.StringVar(&a.options.Address, "address", from("ADDRESS", ""), "`host:port` of a vbrd, by TLS; needs --cert, --key and --ca ($VBRCTL_ADDRESS)")
	f.StringVar(&a.options.Cert, "cert", from("CERT", ""), "your certificate, a PEM `file` ($VBRCTL_CERT)")
	f.StringVar(&a.options.Key, "key", from("KEY", ""), "its key, a PEM `file` ($VBRCTL_KEY)")
	f.StringVar(&a.options.CA, "ca", from("CA", ""), "who vouches for vbrd, a PEM `file` ($VBRCTL_CA)")
	f.StringVar(&a.options.ServerName, "server-name", from("SERVER_NAME", ""), "the `name` in vbrd's certificate, if not the host of --address ($VBRCTL_SERVER_NAME)")
	f.StringVarP(&a.format, "output", "o", from("OUTPUT", string(output.Table)), "`format`: "+strings.Join(output.Formats(), ", ")+" ($VBRCTL_OUTPUT)")
	f.DurationVar(&a.timeout, "timeout", 10*time.Second, "how long vbrd may take for a reply, or for the next part of one")
	f.BoolVar(&a.noColour, "no-color", false, "no colours, on terminals either ($NO_COLOR)")
	a.must(root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(output.Formats(), cobra.ShellCompDirectiveNoFileComp)))
	for _, file := range []string{"socket", "cert", "key", "ca"} {
		a.must(root.MarkPersistentFlagFilename(file))
	}
}

// must is for what only a mistake in this program can make fail.
func (a *app) must(err error) {
	if err != nil {
		panic(err)
	}
}

// check looks at the global flags before any command runs.
func (a *app) check(cmd *cobra.Command) error {
	if !slices.Contains(output.Formats(), a.format) {
		return usagef("--output %q is no format; legal: %s", a.format, strings.Join(output.Formats(), ", "))
	}
	if a.timeout <= 0 {
		return usagef("--timeout %s; legal: more than 0", a.timeout)
	}
	if cmd.Flags().Changed("socket") {
		if cmd.Flags().Changed("address") {
			return usage(errors.New("--socket and --address exclude each other"))
		}
		a.options.Address = ""
	}
	if cmd.Flags().Changed("watch") && a.repeat < 100*time.Millisecond {
		return usagef("--watch=%s; legal: 100ms or more", a.repeat)
	}
	return nil
}

// unknownCommand is what a command does that only has commands below it.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	text := fmt.Sprintf("there is no command %q in %s", args[0], cmd.CommandPath())
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		text += fmt.Sprintf("; did you mean %s?", strings.Join(near, " or "))
	}
	return usagef("%s\nsee `%s --help`", text, cmd.CommandPath())
}

// nargs checks the number of arguments; at most below 0 is without end.
func nargs(atLeast, atMost int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < atLeast:
			return usagef("too few arguments\nusage: %s", cmd.UseLine())
		case atMost >= 0 && len(args) > atMost:
			return usagef("%q is one argument too many\nusage: %s", args[atMost], cmd.UseLine())
		}
		return nil
	}
}
