package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/openvbr/openvbr/internal/lab"
	"github.com/openvbr/openvbr/internal/lab/clab"
)

// playClab plays the containerlab topology of a folder and gives the user a shell beside its nodes.
func (s *stage) playClab(l *lab.Lab, folder, vbrd string) {
	s.step("Play the topology of %s", folder)
	file, err := clab.Find(folder)
	if err != nil {
		l.Fatalf("%v", err)
	}
	topology, err := clab.Load(file)
	if err != nil {
		l.Fatalf("it cannot be played:\n%v", err)
	}
	running := clab.Play(l, topology, filepath.Dir(vbrd))
	s.done("%d nodes, %d links: programs, links and exec, in containerlab's order", len(topology.Nodes), len(topology.Links))
	if text, err := os.ReadFile(filepath.Join(folder, "README.md")); err == nil {
		fmt.Fprintf(s.out, "\n%s", text)
	}
	var names []string
	for _, n := range topology.Nodes {
		names = append(names, n.Name)
	}
	fmt.Fprintf(s.out, clabHelp, strings.Join(names, ", "))
	cmd := exec.Command("bash", "--norc", "-i")
	cmd.Env = append(os.Environ(), "PS1="+topology.Name+"# ", "PATH="+nodeCommand(l, running)+":"+os.Getenv("PATH"))
	cmd.Dir = l.Dir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	_ = cmd.Run() // the status is that of the user's last command
}

// nodeCommand writes the command `node` and returns its folder.
func nodeCommand(l *lab.Lab, running *clab.Running) string {
	var b strings.Builder
	b.WriteString("#!/bin/sh\nname=$1\n[ $# = 0 ] || shift\n[ $# -gt 0 ] || set -- bash --norc -i\nexport PS1=\"$name# \"\ncase $name in\n")
	var names []string
	for _, n := range running.Nodes {
		fmt.Fprintf(&b, "%s) exec %s \"$@\" ;;\n", n.Name, quoted(running.Enter(n.Name)))
		names = append(names, n.Name)
	}
	fmt.Fprintf(&b, "esac\necho \"node: no node '$name'; legal: %s\" >&2\nexit 2\n", strings.Join(names, ", "))
	path := l.File("bin/node", b.String())
	if err := os.Chmod(path, 0o755); err != nil {
		l.Fatalf("%v", err)
	}
	return filepath.Dir(path)
}

// quoted is words for a shell.
func quoted(words []string) string {
	for i, w := range words {
		words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
	}
	return strings.Join(words, " ")
}

const clabHelp = `
   The nodes are %s:
     node NAME              a shell in a node
     node NAME COMMAND      a command in it
     cat *.log              what the programs say
   exit ends everything.

`
