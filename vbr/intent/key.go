package intent

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// Lengths of a TCP MD5 key that OpenVBR accepts; the kernel's limit is the upper one (TCP_MD5SIG_MAXKEYLEN).
const (
	MinKeyLength = 6
	MaxKeyLength = 80
)

// errKey is the one complaint about a key's content; it never tells what the content is.
var errKey = errors.New("not a key; legal: 6..80 printable ASCII characters on one line")

var errIrregular = errors.New("not a regular file")

// ErrNoCredentials says that the process was started without systemd credentials.
var ErrNoCredentials = errors.New("vbrd has no systemd credentials")

// ReadKey reads a TCP MD5 key from a regular file. One trailing newline does not count. Errors name the file and
// never show what is in it.
func ReadKey(path string) (string, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO must not hold us up
	if err != nil {
		return "", fmt.Errorf("key file %w", pathless(err, path))
	}
	defer f.Close()
	return readKey(f, path)
}

// readKey reads the key in a file that errors call path.
func readKey(f *os.File, path string) (string, error) {
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", fmt.Errorf("key file %s: %w", path, errIrregular)
	}
	text, err := io.ReadAll(io.LimitReader(f, MaxKeyLength+3))
	if err != nil {
		return "", fmt.Errorf("key file %w", pathless(err, path))
	}
	key := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if err := CheckKey(key); err != nil {
		return "", fmt.Errorf("key file %s: %w", path, err)
	}
	return key, nil
}

// CheckKey tells whether key is 6..80 printable ASCII characters. The error does not show it.
func CheckKey(key string) error {
	if len(key) < MinKeyLength || len(key) > MaxKeyLength {
		return errKey
	}
	for _, c := range []byte(key) {
		if c < ' ' || c > '~' {
			return errKey
		}
	}
	return nil
}

// KeyExposed tells whether others than the owner and group may read or write the file.
func KeyExposed(path string) (os.FileMode, bool) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, false
	}
	return info.Mode().Perm(), info.Mode().Perm()&0o007 != 0
}

// pathless turns "open /x: reason" into "/x: reason" and keeps the cause for errors.Is.
func pathless(err error, path string) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return fmt.Errorf("%s: %w", path, p.Err)
	}
	return fmt.Errorf("%s: %w", path, err)
}
