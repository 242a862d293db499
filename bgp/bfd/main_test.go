package bfd

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// TestMain runs the tests in network and mount namespaces of their own, which is what package lab asks for: the binary starts itself there, or is already
// in the VRF kernel. The fuzzer's processes speak over inherited files and need no network: they run here.
func TestMain(m *testing.M) {
	fuzzing := slices.ContainsFunc(os.Args, func(a string) bool { return strings.HasPrefix(a, "-test.fuzz") })
	if fuzzing || os.Getenv("VBR_INSIDE") != "" {
		if err := furnish(fuzzing); err != nil {
			fmt.Fprintln(os.Stderr, "prepare the namespaces:", err)
			os.Exit(1)
		}
		goleak.VerifyTestMain(m)
		return
	}
	runtime.LockOSThread() // Pdeathsig is about the thread
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), "VBR_INSIDE=namespaces", "VBR_REQUIRE_VRF=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		os.Exit(0)
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		os.Exit(exit.ExitCode())
	}
	fmt.Fprintln(os.Stderr, "run in namespaces of its own (root needed):", err)
	os.Exit(1)
}

// furnish gives the namespaces made above folders of their own, where FRR writes; vmexec's machine has them.
func furnish(fuzzing bool) error {
	if fuzzing || os.Getenv("VBR_INSIDE") != "namespaces" {
		return nil
	}
	errs := []error{syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")}
	for _, dir := range []string{"/run", "/etc/frr", "/var/tmp"} {
		errs = append(errs, syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"))
	}
	return errors.Join(append(errs, os.MkdirAll("/run/netns", 0o755), exec.Command("ip", "link", "set", "lo", "up").Run())...)
}
