package lab

import "fmt"

// BFDPeer is a session of FRR's bfdd, which FRR starts when its daemons name it. Intervals are milliseconds.
type BFDPeer struct {
	Peer             string `json:"peer"`
	Status           string `json:"status"` // up, down, init, shutdown
	Diagnostic       string `json:"diagnostic"`
	RemoteDiagnostic string `json:"remote-diagnostic"`
	ReceiveInterval  int    `json:"receive-interval"`
	TransmitInterval int    `json:"transmit-interval"`
	RemoteReceive    int    `json:"remote-receive-interval"`
	RemoteTransmit   int    `json:"remote-transmit-interval"`
	RemoteMultiplier int    `json:"remote-detect-multiplier"`
}

// BFD returns bfdd's session with a neighbour.
func (f *FRR) BFD(address string) (BFDPeer, error) {
	const show = "show bfd peers json"
	var peers []BFDPeer
	out, err := f.Ask("bfdd", show)
	if err := f.decode(&peers, show, out, err); err != nil {
		return BFDPeer{}, err
	}
	for _, p := range peers {
		if p.Peer == address {
			return p, nil
		}
	}
	return BFDPeer{}, fmt.Errorf("%s: frr: no BFD session with %s", f.NS.Name, address)
}
