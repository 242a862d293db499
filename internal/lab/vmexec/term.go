package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// rawTerminal hands every key on to the machine; the returned function sets
// the terminal back.
func rawTerminal() (restore func(), size winsize, err error) {
	fd := int(os.Stdin.Fd())
	old, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, size, fmt.Errorf("-it: standard input is no terminal: %w", err)
	}
	if size, err = terminalSize(); err != nil {
		return nil, size, fmt.Errorf("-it: %w", err)
	}
	if err := setRaw(fd); err != nil {
		return nil, size, fmt.Errorf("-it: %w", err)
	}
	return func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, old) }, size, nil
}

// setRaw is cfmakeraw(3).
func setRaw(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag &^= unix.CSIZE | unix.PARENB
	t.Cflag |= unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}

func terminalSize() (winsize, error) {
	ws, err := unix.IoctlGetWinsize(int(os.Stdin.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return winsize{}, err
	}
	return winsize{ws.Row, ws.Col}, nil
}
