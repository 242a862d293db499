package main

import (
	"bufio"
	"cmp"
	"context"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// capturer writes a capture to a file, or to standard output.
type capturer struct {
	*app
	request  vbrv1.CaptureRequest
	path     string // "" or "-": standard output
	duration time.Duration

	file    *os.File
	out     *bufio.Writer
	packets int
	last    *vbrv1.CaptureResponse // the last chunk
	devices []string
}

func (a *app) captureCmd() *cobra.Command {
	x := &capturer{app: a}
	c := &cobra.Command{
		Use:   "capture ROUTER",
		Short: "Capture the packets of a router, as tcpdump would, into a pcap file",
		Long: `Capture writes the packets that come in and go out by a router's own lines, or a VRouter's own vSwitches, as a pcap file for tcpdump and Wireshark. It ends at the
first of its bounds, with Ctrl-C, or when the devices are no longer the router's. What is not taken in time is dropped, and counted at the end. At most two
captures of a router run at once, and eight of the host.

A filter is a subset of pcap-filter(7): ip, ip6, arp, tcp, udp, sctp, icmp, icmp6, esp, ah; [ip|ip6|arp] [src|dst] host ADDRESS or net PREFIX; [tcp|udp|sctp] [src|dst]
port N or portrange M-N; [ip|ip6] proto P; less N, greater N; with and, or, not and parentheses. As there, and and or have the same precedence.

vbrd needs a right for it that the package does not give it: see docs/systemd.md.`,
		Example: `  vbrctl capture vbr-acme --filter "tcp port 179" | tcpdump -nr -
  vbrctl capture vbr-acme --filter "host 172.16.1.1 and not icmp" -w acme.pcap -c 1000 --duration 5m
  vbrctl capture vbr-acme --device vx5001 -s 128 -w vpc.pcap`,
		Args: nargs(1, 1), ValidArgsFunction: a.completeRouters(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			x.request.Router = args[0]
			return x.run(cmd.Context())
		},
	}
	f := c.Flags()
	f.StringVar(&x.request.Filter, "filter", "", "only packets that this `expression` matches")
	f.StringVarP(&x.path, "write", "w", "-", "`file` to write, readable by you alone; - is standard output")
	f.StringVar(&x.request.Device, "device", "", "one `device` of the router's, such as that of a router interface, instead of all lines or vSwitches")
	f.Uint32VarP(&x.request.Packets, "count", "c", 10000, "how many `packets`: 1..1000000")
	f.Uint32Var(&x.request.Bytes, "bytes", 16<<20, "how many `bytes` of packets in all: 1..67108864")
	f.DurationVar(&x.duration, "duration", time.Minute, "how long: 1s..10m")
	f.Uint32VarP(&x.request.SnapLength, "snaplen", "s", 65535, "how many `bytes` of each packet: 64..65535")
	a.must(c.MarkFlagFilename("write"))
	return c
}

func (x *capturer) run(ctx context.Context) error {
	if x.duration < time.Second || x.duration > 10*time.Minute || x.duration%time.Second != 0 {
		return usagef("--duration %s; legal: 1s..10m, in whole seconds", x.duration)
	}
	if x.request.Packets == 0 || x.request.Bytes == 0 || x.request.SnapLength == 0 {
		return usagef("--count %d --bytes %d --snaplen %d; legal: each 1 or more", x.request.GetPackets(), x.request.GetBytes(), x.request.GetSnapLength())
	}
	if x.toStdout() && isTerminal(x.stdout) {
		return usagef("a pcap file is nothing for a terminal; write it to a file by -w FILE, or to a program: | tcpdump -nr -")
	}
	x.request.Seconds = uint32(x.duration / time.Second)
	c, err := x.client()
	if err != nil {
		return err
	}
	err = stream(ctx, x.app, true, c.Routers.Capture, &x.request, x.take)
	if ctx.Err() != nil && x.last != nil { // Ctrl-C
		err = nil
	}
	if x.last != nil {
		x.sum()
	}
	if x.file != nil {
		if closed := x.file.Close(); err == nil {
			err = closed
		}
	}
	return x.aboutRouter(ctx, x.request.GetRouter(), err)
}

func (x *capturer) toStdout() bool { return x.path == "" || x.path == "-" }

// take writes a chunk; the first one begins the file.
func (x *capturer) take(r *vbrv1.CaptureResponse) error {
	if x.last == nil {
		if err := x.begin(r); err != nil {
			return err
		}
	}
	x.last = r
	for _, p := range r.GetPackets() {
		x.packets++
		if err := (pcap{x.out}).packet(p.GetTime().AsTime(), p.GetData(), p.GetLength()); err != nil {
			return err
		}
	}
	return x.out.Flush()
}

func (x *capturer) begin(r *vbrv1.CaptureResponse) error {
	var to io.Writer = x.stdout
	if !x.toStdout() {
		var err error
		if x.file, err = os.OpenFile(x.path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600); err != nil {
			return err
		}
		to = x.file
	}
	x.out = bufio.NewWriter(to)
	x.devices = r.GetDevices()
	x.note("capturing on %s; Ctrl-C ends it", strings.Join(x.devices, ", "))
	return (pcap{x.out}).begin()
}

// sum says what has come, for people.
func (x *capturer) sum() {
	x.note("%s, %d dropped; ended by %s", plural(x.packets, "packet"), x.last.GetDropped(), cmp.Or(x.last.GetEnded(), "interruption"))
}
