// Command pack writes what the Debian package has besides the binaries and the files of examples/systemd: the manual pages vbrd(8) and vbrd.yaml(5). Those
// of vbrctl and its completions come from vbrctl itself (see the target deb of the Makefile, which puts all together with nfpm.yaml).
//
//	go run ./internal/pack FOLDER
//
// Its tests judge the unit and, after `make deb`, the package. It is no part of vbrd.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/openvbr/openvbr/vbr/config"
)

// reference is the settings file with every setting, whose comments are their manual.
const reference = "examples/config/reference/vbrd.yaml"

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: pack FOLDER")
		os.Exit(2)
	}
	if err := errors.Join(daemonPage(os.Args[1]), settingsPage(os.Args[1])); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

// daemonPage writes vbrd.8. The page's date is $SOURCE_DATE_EPOCH.
func daemonPage(dir string) error {
	cmd := &cobra.Command{
		Use: "vbrd", Short: "runs the virtual border routers of this host", DisableAutoGenTag: true, Run: func(*cobra.Command, []string) {},
		Long: `vbrd runs a host's virtual border routers as its settings (vbrd.yaml(5)) and resources (vbrctl(1), /etc/vbrd/resources.d) say.

SIGTERM and SIGINT end the process and leave devices, routes and packets as they are; BGP sessions end for a graceful restart, and the next vbrd adopts
all that. SIGHUP reads the resources again; settings are read at the start only. --cleanup removes all that vbrd owns.

Every setting may also come from the environment: log.level from VBRD_LOG_LEVEL, and so on. Flags go before the environment, the environment before the file.

Exit status: 0 done, 1 failed, 2 settings or resources are wrong and nothing was touched, 3 another vbrd serves this network namespace.

Under systemd see vbrd.service, and docs/systemd.md of the source.`,
	}
	cmd.Flags().AddFlagSet(config.Flags())
	if err := doc.GenManTree(cmd, &doc.GenManHeader{Title: "VBRD", Section: "8", Source: "OpenVBR", Manual: "OpenVBR"}, dir); err != nil {
		return fmt.Errorf("vbrd.8: %w", err)
	}
	return nil
}

// settingsPage writes vbrd.yaml.5: the reference, as it is.
func settingsPage(dir string) error {
	text, err := os.ReadFile(reference)
	if err != nil {
		return fmt.Errorf("vbrd.yaml.5: %w", err)
	}
	escape := strings.NewReplacer(`\`, `\e`, "'", `\(aq`, "-", `\-`)
	var b strings.Builder
	b.WriteString(".TH VBRD.YAML 5 \"\" OpenVBR OpenVBR\n.SH NAME\nvbrd.yaml \\- settings of vbrd(8)\n.SH DESCRIPTION\n" +
		"/etc/vbrd/vbrd.yaml, with every setting, its range and its default:\n.PP\n.nf\n")
	for line := range strings.Lines(string(text)) {
		b.WriteString(`\&` + escape.Replace(line)) // a dot at the front is text
	}
	b.WriteString(".fi\n.SH SEE ALSO\nvbrd(8), vbrctl(1)\n")
	if err := os.WriteFile(filepath.Join(dir, "vbrd.yaml.5"), []byte(b.String()), 0o644); err != nil {
		return fmt.Errorf("vbrd.yaml.5: %w", err)
	}
	return nil
}
