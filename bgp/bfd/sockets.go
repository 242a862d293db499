package bfd

import (
	"errors"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// portTries is how many source ports are tried at a time.
const portTries = 16

// sockets are the Engine's. Only Run's goroutine calls its methods; a receiver's goroutine reads its socket.
type sockets struct {
	e         *Engine
	control   int // for questions about devices
	receivers map[place]*receiver
	senders   map[*session]equipment
	ports     map[uint16]bool
	filtered  uint64 // packets the kernel dropped at sockets since closed
}

// place is what a receiver is for.
type place struct {
	device   string
	v4       bool
	multihop bool // RFC 5883's port
}

// receivers are those of a session: one for each port.
type receivers [2]*receiver

// equipment is a session's sender, and where it was made.
type equipment struct {
	*sender
	receivers receivers
}

// drain is link's: what came for the device and was not read yet.
func (q equipment) drain() {
	for _, r := range q.receivers {
		r.drain()
	}
}

func (k *sockets) init(e *Engine) {
	*k = sockets{e: e, control: -1, receivers: map[place]*receiver{}, senders: map[*session]equipment{}, ports: map[uint16]bool{}}
}

func (k *sockets) open() (err error) {
	k.control, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	return err
}

// close ends what is left when all sessions were released.
func (k *sockets) close() {
	for p := range k.receivers {
		k.closeReceiver(p)
	}
	_ = unix.Close(k.control)
}

// look gives each session what it needs, makes anew what was on a device that is gone, and closes what nobody needs.
func (k *sockets) look(sessions []*session) {
	needed := map[place][]netip.Addr{}
	for _, s := range sessions {
		for _, p := range s.places() {
			needed[p] = append(needed[p], s.key.peer)
		}
	}
	for p, r := range k.receivers {
		index, err := deviceIndex(k.control, p.device)
		stale := err != nil || index != r.index
		if stale && !p.multihop { // once for both ports
			k.e.count.rebuilt.Add(1)
		}
		if stale || needed[p] == nil {
			k.closeReceiver(p)
		}
	}
	filtered := k.filtered
	for p, peers := range needed { // those that cannot be made are equip's to report
		if r, err := k.receiver(p); err == nil {
			k.admit(r, peers)
			filtered += r.dropped()
		}
	}
	k.e.count.filtered.Store(filtered)
	for _, s := range sessions {
		k.equip(s)
	}
}

func (k *sockets) admit(r *receiver, peers []netip.Addr) {
	slices.SortFunc(peers, netip.Addr.Compare)
	if err := r.admit(peers); err != nil {
		k.e.cfg.Log.Error("bfd: admit neighbours", "device", r.device, "error", err)
	}
}

func (s *session) places() [2]place {
	return [2]place{{s.key.device, s.local.Is4(), false}, {s.key.device, s.local.Is4(), true}}
}

// equip gives a session its sockets, if it has none that work.
func (k *sockets) equip(s *session) {
	have, had := k.senders[s]
	if r, err := k.receiversOf(s); had && err == nil && r == have.receivers {
		return
	}
	k.release(s)
	made, err := k.make(s)
	if err != nil {
		if s.connect(nil, err) {
			k.e.cfg.Log.Warn("bfd: session without socket", "peer", s.key.peer, "device", s.key.device, "error", err)
		}
		return
	}
	k.senders[s] = made
	s.connect(made, nil)
	s.wake()
}

func (k *sockets) make(s *session) (equipment, error) {
	r, err := k.receiversOf(s)
	if err != nil {
		return equipment{}, err
	}
	for range portTries {
		var port uint16
		var made *sender
		if port, err = k.port(); err != nil {
			return equipment{}, err
		}
		if made, err = newSender(s, r[0].index, port); err == nil {
			k.ports[port] = true
			return equipment{made, r}, nil
		}
		if !errors.Is(err, unix.EADDRINUSE) { // another program's
			break
		}
	}
	return equipment{}, err
}

// port is one that no session has (RFC 5881 4). There are as many as sessions may be.
func (k *sockets) port() (uint16, error) {
	for {
		p, err := randomPort()
		if err != nil || !k.ports[p] {
			return p, err
		}
	}
}

// release closes a session's sender.
func (k *sockets) release(s *session) {
	q, ok := k.senders[s]
	if !ok {
		return
	}
	s.connect(nil, nil) // nothing is sent after this
	delete(k.senders, s)
	delete(k.ports, q.sender.port)
	_ = unix.Close(q.sender.fd)
}

// receiversOf are a session's; they are made if need be.
func (k *sockets) receiversOf(s *session) (all receivers, err error) {
	for i, p := range s.places() {
		if all[i], err = k.receiver(p); err != nil {
			return receivers{}, err
		}
	}
	return all, nil
}

// receiver is that of a place; it is made if need be.
func (k *sockets) receiver(p place) (*receiver, error) {
	if r := k.receivers[p]; r != nil {
		return r, nil
	}
	index, err := deviceIndex(k.control, p.device)
	if err != nil {
		return nil, err
	}
	r, err := newReceiver(p, index)
	if err != nil {
		return nil, err
	}
	r.deliver = func(d datagram) { k.e.deliver(p.device, d) }
	k.receivers[p] = r
	go r.run()
	return r, nil
}

func (k *sockets) closeReceiver(p place) {
	r := k.receivers[p]
	k.filtered += r.dropped()
	delete(k.receivers, p)
	_ = r.file.Close()
	r.stop()
	<-r.done
}
