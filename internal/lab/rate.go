package lab

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// iperfPort is iperf3's own; iperfPayload is what a UDP packet carries, short enough for a tunnel.
const iperfPort, iperfPayload = 5201, 1200

// RateOptions may all be left out.
type RateOptions struct {
	Offer  int           // bits/s sent as UDP; 0: TCP, as much as goes
	During time.Duration // default 3 s
}

// Rate measures by iperf3 what arrives, in bits/s, of what n sends to an address of server's: of UDP whole IP
// packets count, of TCP the payload.
func (n *NS) Rate(server *NS, address string, o RateOptions) (float64, error) {
	n.lab.Helper()
	if o.During == 0 {
		o.During = 3 * time.Second
	}
	serve := server.Start("iperf3", "-s", "-1", "--forceflush", "-B", address)
	defer serve.Kill()
	if _, err := Within(10*time.Second, func() error { return server.listens(serve, iperfPort) }); err != nil {
		return 0, err
	}
	args := []string{"iperf3", "-J", "-c", address, "-t", fmt.Sprint(o.During.Seconds()), "--connect-timeout", "2000"}
	if o.Offer > 0 {
		args = append(args, "-u", "-l", fmt.Sprint(iperfPayload), "-b", fmt.Sprint(o.Offer))
	}
	out, err := n.Run(args...)
	if err != nil {
		return 0, fmt.Errorf("%w\n%s", err, out)
	}
	rate, err := received(out)
	if o.Offer > 0 {
		rate *= float64(iperfPayload+headers(address)) / iperfPayload
	}
	return rate, err
}

// headers are IP's and UDP's.
func headers(address string) int {
	if strings.Contains(address, ":") {
		return 40 + 8
	}
	return 20 + 8
}

// listens is nil when somebody listens on a TCP port and the process runs.
func (n *NS) listens(p *Proc, port int) error {
	out, err := n.Run("ss", "-Hltn", "sport", "=", fmt.Sprintf(":%d", port))
	if err == nil && (strings.TrimSpace(out) == "" || !p.Running()) {
		err = fmt.Errorf("%s does not listen: %s", p.Name, p.Log())
	}
	return err
}

// received is the receiver's figure in iperf3's JSON.
func received(report string) (float64, error) {
	var r struct {
		Error string `json:"error"`
		End   struct {
			Received *struct {
				Rate float64 `json:"bits_per_second"`
			} `json:"sum_received"`
		} `json:"end"`
	}
	if err := json.Unmarshal([]byte(report), &r); err != nil {
		return 0, fmt.Errorf("iperf3: %w: %s", err, report)
	}
	if r.Error != "" || r.End.Received == nil {
		return 0, fmt.Errorf("iperf3: no result: %s", r.Error)
	}
	return r.End.Received.Rate, nil
}
