package main

import (
	"context"
	"io"
	"net"
	"time"
)

// sourceRate sends the table over TCP to somebody who throws it away, and says how long that took until the last byte was read: what the
// source and the network need by themselves.
func (l *load) sourceRate() (time.Duration, error) {
	sink, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer sink.Close()
	read := make(chan time.Time, 1)
	go func() { // ends with the connection, which is closed below
		conn, err := sink.Accept()
		if err == nil {
			_, _ = io.Copy(io.Discard, conn)
			conn.Close()
		}
		read <- time.Now()
	}()
	conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp4", sink.Addr().String())
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	_, err = conn.Write(l.announce[single])
	conn.Close()
	return (<-read).Sub(begin), err
}
