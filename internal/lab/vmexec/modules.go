package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// umlModules is where Debian keeps the modules of its user-mode-linux.
const umlModules = "/usr/lib/uml/modules"

// modules are loaded at the start: overlay for the root, the rest so that no
// test waits for them. All others come when the kernel asks (loaderFlag).
var modules = []string{"overlay", "vrf", "8021q", "vxlan", "veth", "dummy", "bridge"}

// parameters keep modules from creating devices nobody asked for.
var parameters = map[string]string{"dummy": "numdummies=0"}

// loaderFlag is what the kernel calls its module loader with: "-q -- ALIAS".
// vmexec is that loader inside the machine, since a small Debian has no kmod.
const loaderFlag = "-q"

// load inserts modules, each by name or alias, with what they depend on;
// loaded ones are left alone. The files come from modprobe's own index
// (modules.dep, modules.alias of depmod(8)).
func load(names ...string) error {
	release, err := kernelRelease()
	if err != nil {
		return err
	}
	dir := filepath.Join(umlModules, release)
	deps, err := readDeps(filepath.Join(dir, "modules.dep"))
	if err != nil {
		return err
	}
	for _, name := range names {
		found := []string{moduleName(name)}
		if _, ok := deps[found[0]]; !ok {
			if found, err = resolve(filepath.Join(dir, "modules.alias"), name); err != nil {
				return err
			}
		}
		for _, m := range found {
			for i := len(deps[m]) - 1; i >= 0; i-- { // the index lists the module itself first
				if err := insert(filepath.Join(dir, deps[m][i])); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func moduleName(s string) string {
	return strings.ReplaceAll(strings.TrimSuffix(path.Base(s), ".ko"), "-", "_")
}

// readDeps maps a module's name to its file followed by those it needs.
func readDeps(file string) (map[string][]string, error) {
	deps := map[string][]string{}
	err := eachLine(file, func(line string) {
		if self, rest, ok := strings.Cut(line, ":"); ok {
			deps[moduleName(self)] = append([]string{self}, strings.Fields(rest)...)
		}
	})
	return deps, err
}

// resolve finds the modules with an alias that matches.
func resolve(file, name string) ([]string, error) {
	var found []string
	err := eachLine(file, func(line string) {
		f := strings.Fields(line)
		if len(f) != 3 || f[0] != "alias" {
			return
		}
		if ok, _ := path.Match(f[1], name); ok {
			found = append(found, moduleName(f[2]))
		}
	})
	if err == nil && found == nil {
		err = fmt.Errorf("module %s not found", name)
	}
	return found, err
}

func eachLine(file string, do func(string)) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() {
		do(s.Text())
	}
	return s.Err()
}

func insert(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), parameters[moduleName(file)], 0); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("load module %s: %w", filepath.Base(file), err)
	}
	return nil
}

func kernelRelease() (string, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "", err
	}
	return unix.ByteSliceToString(u.Release[:]), nil
}
