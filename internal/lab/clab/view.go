package clab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Where the image of vbrd has its programs; the Dockerfile says the same.
const (
	programs   = "/usr/local/bin"
	entrypoint = programs + "/entrypoint.sh"
)

// view is a node's of the file system: /etc and /var/lib are the lab's and writable, /run is empty, with FRR's sockets, and there is what the
// node binds, and vbrd where its image has it.
type view struct {
	base     string // an empty folder
	node     *Node
	bin, dir string // of vbrd and vbrctl; of entrypoint.sh
}

// make runs in a mount namespace of the node's own, with which all goes.
func (v *view) make() error {
	if err := mount("tmpfs", v.base, "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	run := filepath.Join(v.base, "run")
	err := errors.Join(v.overlay("/etc"), v.overlay("/var/lib"), os.Mkdir(run, 0o755))
	if err == nil && v.node.Program == FRR {
		err = bind(Bind{Source: filepath.Join("/run/frr", v.node.Name), Target: filepath.Join(run, "frr")})
	}
	if err == nil {
		err = mount(run, "/run", "", unix.MS_BIND|unix.MS_REC, "")
	}
	if err == nil && v.node.Program == Vbrd {
		err = v.programs()
	}
	for _, b := range v.node.Binds {
		err = errors.Join(err, bind(b))
	}
	return err
}

// overlay makes a folder of the lab's writable, for the node alone.
func (v *view) overlay(dir string) error {
	name := filepath.Join(v.base, strings.ReplaceAll(dir, "/", "_"))
	upper, work := name+".upper", name+".work"
	if err := errors.Join(os.Mkdir(upper, 0o755), os.Mkdir(work, 0o755)); err != nil {
		return err
	}
	return mount("overlay", dir, "overlay", 0, fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", dir, upper, work))
}

func (v *view) programs() error {
	err := mount("tmpfs", programs, "tmpfs", 0, "mode=755")
	for _, file := range []string{filepath.Join(v.bin, "vbrd"), filepath.Join(v.bin, "vbrctl"), filepath.Join(v.dir, "entrypoint.sh")} {
		if err == nil {
			err = bind(Bind{Source: file, Target: filepath.Join(programs, filepath.Base(file)), ReadOnly: true})
		}
	}
	return err
}

// bind makes the target, a file or a folder as the source is, and puts the source there.
func bind(b Bind) error {
	info, err := os.Stat(b.Source)
	if err != nil {
		return err
	}
	if info.IsDir() {
		err = os.MkdirAll(b.Target, 0o755)
	} else if err = os.MkdirAll(filepath.Dir(b.Target), 0o755); err == nil {
		err = touch(b.Target)
	}
	if err == nil {
		err = mount(b.Source, b.Target, "", unix.MS_BIND, "")
	}
	if err == nil && b.ReadOnly {
		err = mount("", b.Target, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
	}
	return err
}

func touch(file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}

func mount(source, target, fstype string, flags uintptr, data string) error {
	if err := unix.Mount(source, target, fstype, flags, data); err != nil {
		return fmt.Errorf("mount %s on %s: %w", source, target, err)
	}
	return nil
}
