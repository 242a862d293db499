package lab

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Mounts gives the namespace a view of the file system of its own, as a container has: the lab's, and in it what f mounts. What is run in the
// namespace from then on sees it, FRR's daemons started before do not; it goes with the Lab. f runs on a thread that is in the view. Once only.
func (n *NS) Mounts(f func() error) {
	n.lab.Helper()
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return err
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return err
		}
		if err := f(); err != nil {
			return err
		}
		view, err := os.Open("/proc/thread-self/ns/mnt")
		n.view = view
		return err
	})
	if err != nil {
		n.lab.Fatalf("%s: view of the file system: %v", n.Name, err)
	}
}

// enter puts the thread, which must be locked and end with its goroutine, into the namespace and its view.
func (n *NS) enter() error {
	if n.view == nil {
		return nil
	}
	if err := unix.Unshare(unix.CLONE_FS); err != nil { // the kernel moves no thread that shares its root and folder with others
		return err
	}
	return unix.Setns(int(n.view.Fd()), unix.CLONE_NEWNS)
}

// Enter is how a command begins that another process runs in the namespace and its view, while the Lab lives.
func (n *NS) Enter() []string {
	words := []string{"nsenter", "--net=/run/netns/" + n.Name}
	if n.view != nil {
		words = append(words, fmt.Sprintf("--mount=/proc/%d/fd/%d", os.Getpid(), n.view.Fd()))
	}
	return append(words, "--")
}
