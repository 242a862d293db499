package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/openvbr/openvbr/internal/pkitest"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent/store"
)

// canary is the content of key files; no part of vbrd may ever show it.
const canary = "c4n4ry-k3y-0123"

// A BGP key appears nowhere: not in logs, replies, errors, audit lines, nor in what is stored.
func TestSecretsStaySecret(t *testing.T) {
	port(t, "eth1")
	dir := t.TempDir()
	key := filepath.Join(dir, "keys/acme/key")
	v := startVbrd(t, dir, "")
	put(t, key, canary+"\n")
	res, routers := v.dial()
	replies := &output{}
	show := func(m proto.Message, err error) {
		fmt.Fprintln(replies, protojson.Format(m), err, status.Convert(err).Details())
	}
	apply := func(dry bool, rs ...*vbrv1.Resource) error {
		a, err := res.Apply(ask(t), &vbrv1.ApplyRequest{Resources: rs, DryRun: dry})
		show(a, err)
		return err
	}
	if err := errors.Join(apply(true, pc("eth1"), router(key)), apply(false, pc("eth1"), router(key))); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the key is in use", func() bool {
		h, err := routers.GetHost(ask(t), &vbrv1.GetHostRequest{})
		return err == nil && h.Sessions == 1 && h.Revision == 1
	})
	long := filepath.Join(dir, "keys/acme/long")
	put(t, long, strings.Repeat(canary, 9))
	for what, r := range map[string]*vbrv1.Resource{"key in place of its file": router(canary), "key after a slash": router("./" + canary), "file with too long a key": router(long)} {
		if apply(false, pc("eth1"), r) == nil {
			t.Errorf("%s was taken", what)
		}
	}
	if err := apply(false, pc("eth1"), router("")); err != nil {
		t.Fatal(err)
	}
	b, err := res.Rollback(ask(t), &vbrv1.RollbackRequest{Revision: 1})
	show(b, err)
	d, err := res.DiffRevisions(ask(t), &vbrv1.DiffRevisionsRequest{From: 1, To: 2})
	show(d, err)
	if !strings.Contains(replies.String(), key) {
		t.Error("the path of the key's file is not shown, so nothing of this is worth much:", replies)
	}
	drainAll(t, replies, res, routers)
	_, err = routers.ResetSession(ask(t), &vbrv1.ResetSessionRequest{Router: "vbr-acme"})
	show(&vbrv1.ResetSessionRequest{}, err)
	del, err := res.Delete(ask(t), &vbrv1.DeleteRequest{Refs: []*vbrv1.ResourceRef{{Kind: vbrv1.Kind_KIND_VIRTUAL_BORDER_ROUTER, Name: "vbr-acme"}}})
	show(del, err)
	v.stop()
	if !strings.Contains(v.out.String(), `"msg":"audit"`) {
		t.Error("no audit lines:", v.out)
	}
	for what, text := range map[string]string{"replies": replies.String(), "log": v.out.String()} {
		if strings.Contains(text, canary) {
			t.Errorf("the key is in the %s:\n%s", what, text)
		}
	}
	_ = filepath.WalkDir(filepath.Join(dir, "state"), func(path string, d fs.DirEntry, err error) error {
		text, err2 := os.ReadFile(path)
		if err == nil && err2 == nil && bytes.Contains(text, []byte(canary)) {
			t.Errorf("the key is in %s", path)
		}
		return nil
	})
	if text := dump(t, filepath.Join(dir, "state", "intent.db")); strings.Contains(text, canary) || !strings.Contains(text, key) {
		t.Error("the store has the key, or not its file's path:\n", text)
	}
}

// drainAll takes what all reading streams have to say.
func drainAll(t *testing.T, w io.Writer, res vbrv1.ResourceServiceClient, routers vbrv1.RouterServiceClient) {
	t.Helper()
	take(t, w, func(ctx context.Context) (grpc.ServerStreamingClient[vbrv1.ListResponse], error) {
		return res.List(ctx, &vbrv1.ListRequest{})
	})
	take(t, w, func(ctx context.Context) (grpc.ServerStreamingClient[vbrv1.WatchResponse], error) {
		return res.Watch(ctx, &vbrv1.WatchRequest{})
	})
	take(t, w, func(ctx context.Context) (grpc.ServerStreamingClient[vbrv1.ListRevisionsResponse], error) {
		return res.ListRevisions(ctx, &vbrv1.ListRevisionsRequest{})
	})
	take(t, w, func(ctx context.Context) (grpc.ServerStreamingClient[vbrv1.ListRoutersResponse], error) {
		return routers.ListRouters(ctx, &vbrv1.ListRoutersRequest{})
	})
	take(t, w, func(ctx context.Context) (grpc.ServerStreamingClient[vbrv1.ListSessionsResponse], error) {
		return routers.ListSessions(ctx, &vbrv1.ListSessionsRequest{})
	})
	take(t, w, func(ctx context.Context) (grpc.ServerStreamingClient[vbrv1.ListEventsResponse], error) {
		return routers.ListEvents(ctx, &vbrv1.ListEventsRequest{})
	})
}

// take reads a stream for half a second or to its end; it must say something.
func take[T any](t *testing.T, w io.Writer, open func(context.Context) (grpc.ServerStreamingClient[T], error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ask(t), 500*time.Millisecond)
	defer cancel()
	s, err := open(ctx)
	n := 0
	for err == nil {
		var m *T
		if m, err = s.Recv(); err == nil {
			n++
			fmt.Fprintln(w, any(m).(fmt.Stringer).String())
		}
	}
	if n == 0 {
		t.Errorf("%T said nothing: %v", s, err)
	}
}

// dump is all that a store holds.
func dump(t *testing.T, path string) string {
	t.Helper()
	st, err := store.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	list, err := st.List(ask(t), 0)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, r := range list {
		whole, err := st.Get(ask(t), r.Number)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(protojson.Format(whole))
	}
	return b.String()
}

// pair makes a certificate, which is its own CA, and its key.
func pair(t *testing.T) (certificate, key string) {
	t.Helper()
	certificate, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	pkitest.New(t, "vbrd").Write(t, certificate, key)
	return certificate, key
}
