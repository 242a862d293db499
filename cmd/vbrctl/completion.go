package main

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/output"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

const (
	noFiles   = cobra.ShellCompDirectiveNoFileComp
	anyNumber = math.MaxInt
)

// completeRouter completes the value of -r.
func (a *app) completeRouter(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	names, err := a.routerNames(cmd.Context())
	if err != nil {
		return nil, noFiles
	}
	return beginning(names, begun, nil), noFiles
}

// completeRouters completes arguments that are names of routers, at most so many.
func (a *app) completeRouters(most int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= most {
			return nil, noFiles
		}
		names, directive := a.completeRouter(cmd, nil, begun)
		return beginning(names, begun, args), directive
	}
}

// beginning keeps the words that begin so and are not among those used.
func beginning(words []string, begun string, used []string) []string {
	var out []string
	for _, w := range words {
		if strings.HasPrefix(w, begun) && !slices.Contains(used, w) {
			out = append(out, w)
		}
	}
	return out
}

// completePeers completes sessions: peers with -r, else ROUTER/PEER.
func (a *app) completePeers(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	router, _ := cmd.Flags().GetString("router")
	a.timeout = min(a.timeout, namesWithin)
	sessions, err := a.sessions(cmd.Context(), &vbrv1.ListSessionsRequest{Router: router})
	if err != nil {
		return nil, noFiles
	}
	var out []string
	for _, s := range sessions {
		name := s.GetPeerIpAddress()
		if router == "" {
			name = s.GetRouter() + "/" + name
		}
		out = append(out, name)
	}
	return beginning(out, begun, args), noFiles
}

// completeKinds completes KIND.
func (a *app) completeKinds(_ *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, noFiles
	}
	return beginning(strings.Split(kindWords, ", "), begun, nil), noFiles
}

// completeResources completes KIND NAME...
func (a *app) completeResources(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return a.completeKinds(cmd, args, begun)
	}
	kinds, err := kindsOf(args[0])
	if err != nil {
		return nil, noFiles
	}
	return beginning(a.resourceNames(cmd.Context(), kinds), begun, args[1:]), noFiles
}

// completeRevisions completes REVISION, with the comments.
func (a *app) completeRevisions(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	a.timeout = min(a.timeout, namesWithin)
	c, err := a.client()
	if err != nil {
		return nil, noFiles
	}
	var out []string
	err = stream(cmd.Context(), a, false, c.Resources.ListRevisions, &vbrv1.ListRevisionsRequest{}, func(r *vbrv1.ListRevisionsResponse) error {
		for _, v := range r.GetRevisions() {
			if n := fmt.Sprint(v.GetNumber()); strings.HasPrefix(n, begun) {
				out = append(out, cobra.CompletionWithDesc(n, strings.TrimSpace(v.GetAuthor()+" "+v.GetComment())))
			}
		}
		return nil
	})
	if err != nil {
		return nil, noFiles
	}
	return out, noFiles | cobra.ShellCompDirectiveKeepOrder
}

func (a *app) completionCmd() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "The script that completes commands and names in a shell",
		Long:  "Completion writes the script that completes commands, flags and, by asking vbrd, the names of routers, peers and resources.",
		Example: `  vbrctl completion bash > /etc/bash_completion.d/vbrctl
  vbrctl completion zsh > "${fpath[1]}/_vbrctl"
  vbrctl completion fish > ~/.config/fish/completions/vbrctl.fish`,
		Args:              nargs(1, 1),
		ValidArgsFunction: cobra.FixedCompletions(shells, noFiles),
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.stdout, true)
			case "zsh":
				return root.GenZshCompletion(a.stdout)
			case "fish":
				return root.GenFishCompletion(a.stdout, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(a.stdout)
			}
			return usagef("%q is no shell that is known; legal: %s", args[0], strings.Join(shells, ", "))
		},
	}
}

func (a *app) versionCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "The versions of vbrctl and vbrd",
		Example: `  vbrctl version
  vbrctl version -o json`,
		Args: nargs(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !a.forPrograms() {
				fmt.Fprintf(a.stdout, "vbrctl %s (%s)\n", version, runtime.Version())
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			host, err := call(cmd.Context(), a, c.Routers.GetHost, &vbrv1.GetHostRequest{})
			if err != nil {
				return err
			}
			if a.forPrograms() {
				return output.Document(a.stdout, a.output(), &structpb.Struct{Fields: map[string]*structpb.Value{
					"vbrctl": structpb.NewStringValue(version), "vbrd": structpb.NewStringValue(host.GetVersion()), "host": structpb.NewStringValue(host.GetHost()),
				}})
			}
			return a.say(host, "vbrd %s on %s", host.GetVersion(), host.GetHost())
		},
	}
}
