package topo

import (
	"net"
	"path/filepath"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
)

// Where the cloud topology's hosts find etcd, and it itself.
const (
	storeAddress  = Region1Net + "251"
	storeURL      = "http://" + storeAddress + ":2379"
	storePeersURL = "http://127.0.0.1:2380"
)

// startStore starts etcd in region 1 and waits until it listens.
func (t *Cloud) startStore() {
	n := t.attach("store", 0, 251)
	t.Store = n.Start("etcd", "--data-dir", filepath.Join(t.Lab.Dir, "etcd"), "--logger", "zap", "--log-level", "error",
		"--listen-client-urls", storeURL, "--advertise-client-urls", storeURL,
		"--listen-peer-urls", storePeersURL, "--initial-advertise-peer-urls", storePeersURL, "--initial-cluster", "default="+storePeersURL)
	lab.Eventually(t.Lab, 20*time.Second, "etcd", func() error {
		return n.Do(func() error {
			c, err := net.Dial("tcp", storeAddress+":2379")
			if err == nil {
				err = c.Close()
			}
			return err
		})
	})
}
