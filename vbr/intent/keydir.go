package intent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// KeyDir is the folder of the keys of customers' peers, an absolute clean path. Who may change a resource may choose the path of its key, so
// that a resource with an owner can name the files of the subfolder named as the owner only; one without, which only an admin makes, any file
// of the folder. No link leads out of either. Empty: there are no keys.
type KeyDir string

// unitKeys is what the names of credentials begin with that the packaged unit loads (LoadCredential=key:FOLDER).
const unitKeys = "key_"

var (
	errOutside    = errors.New("not in the folder of the owner's keys")
	errInside     = errors.New("cannot be opened, or is a link that leads out of its folder")
	errCredential = errors.New("not a credential of the owner's")
)

// Key reads the TCP MD5 key of a peer of that owner's resource and the mode of its file; empty for none. Errors say nothing about files that
// the owner may not name, not even whether they exist.
func (d KeyDir) Key(owner string, p *Peer) (key string, mode fs.FileMode, err error) {
	var f *os.File
	switch {
	case p.Credential != "":
		f, err = openCredential(owner, p.Credential)
	case p.AuthKeyFile != "":
		f, err = d.open(owner, p.AuthKeyFile)
	}
	if f == nil || err != nil {
		return "", 0, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil {
		mode = info.Mode().Perm()
	}
	key, err = readKey(f, p.AuthKeyFile+p.Credential)
	return key, mode, err
}

// open opens a key file inside the owner's folder.
func (d KeyDir) open(owner, path string) (*os.File, error) {
	dir := d.of(owner)
	name, below := strings.CutPrefix(path, dir+"/")
	if dir == "" || !below || filepath.Clean(path) != path {
		return nil, fmt.Errorf("key file %s: %w", path, errOutside)
	}
	root, err := os.OpenRoot(string(d))
	if err != nil {
		return nil, fmt.Errorf("key file %w", pathless(err, path))
	}
	defer root.Close()
	if owner != "" {
		sub, err := root.OpenRoot(owner) // a root of its own: links in it lead to no other owner's
		if err != nil {
			return nil, within(err, path)
		}
		defer sub.Close()
		root = sub
	}
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO must not hold us up
	return f, within(err, path)
}

// within is the error of something in a root: what leads out of it is not told from what is wrong otherwise.
func within(err error, path string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("key file %w", pathless(err, path))
	}
	return fmt.Errorf("key file %s: %w", path, errInside)
}

// of is the folder of an owner's keys; empty: there is none.
func (d KeyDir) of(owner string) string {
	switch {
	case d == "", owner == ".", owner == "..", strings.Contains(owner, "/"):
		return ""
	}
	return filepath.Join(string(d), owner)
}

// openCredential opens the file of a systemd credential. All credentials of a unit are in one folder, which the environment names
// (systemd.exec(5)): those of an owner are OWNER.KEY, by the names of the packaged unit, which loads a folder, key_OWNER.KEY. There is no dot in KEY,
// and what begins with "key_" is looked for by the unit's name only, so that none belongs to two owners.
func openCredential(owner, name string) (*os.File, error) {
	if key, ok := strings.CutPrefix(name, owner+"."); owner != "" && (!ok || key == "" || strings.Contains(key, ".")) {
		return nil, fmt.Errorf("credential %s: %w", name, errCredential)
	}
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return nil, fmt.Errorf("credential %s: %w", name, ErrNoCredentials)
	}
	f, err := openKey(filepath.Join(dir, unitKeys+name))
	if errors.Is(err, fs.ErrNotExist) && (owner == "" || !strings.HasPrefix(name, unitKeys)) {
		f, err = openKey(filepath.Join(dir, name))
	}
	if err != nil {
		return nil, fmt.Errorf("credential %w", pathless(err, name))
	}
	return f, nil
}

func openKey(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// problem splits an error of Key into what is wrong and what would be legal.
func (d KeyDir) problem(owner string, err error) (text, legal string) {
	dir := d.of(owner)
	switch {
	case errors.Is(err, errCredential):
		return "not a credential of the owner's", owner + `.KEY, KEY of letters, digits and "_-"`
	case dir == "" && errors.Is(err, errOutside):
		return "the owner can have no folder of keys", "an owner whose name is that of a folder, or no key"
	case errors.Is(err, errOutside):
		return "not in the folder of the owner's keys", "a file in " + dir + ", without . and .. in its path"
	case errors.Is(err, errInside):
		return "key file cannot be opened, or is a link that leads out of its folder", "a file in " + dir
	}
	return KeyProblem(err)
}
