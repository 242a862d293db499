package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/openvbr/openvbr/internal/fault"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// Keys in etcd, below the prefix. NUMBER has 20 digits, so that keys are in the order of numbers.
//
//	head                           the newest revision's number, in decimal; written with every change
//	entry/NUMBER                   StoredEntry
//	revision/NUMBER/WRITER/CHUNK   StoredRevision, cut into chunks; WRITER is random for each Append
//
// An Append writes its chunks first, where nobody looks, and then in one transaction, if head is what it was, the
// entry that leads to them, and head. The same transaction removes what is beyond the history and the chunks of those
// who lost this number and the one before.

// chunkSize is well below the 1.5 MiB that etcd takes in one request.
const chunkSize = 512 << 10

// etcd is a Store in etcd. It is a client of its own; see etcd_client.go for how it gets there.
type etcd struct {
	client
	prefix string
	keep   uint64 // how many revisions: History
}

// etcdHead is what head and the newest entry say at one moment.
type etcdHead struct {
	number   uint64             // 0: nothing was ever stored
	entry    *vbrv1.StoredEntry // nil then
	modified int64              // head's mod revision, 0 then
	revision int64              // etcd's
}

func (s *etcd) headKey() string               { return s.prefix + "/head" }
func (s *etcd) entryKey(number uint64) string { return fmt.Sprintf("%s/entry/%020d", s.prefix, number) }
func (s *etcd) revisionKey(number uint64, writer string) string {
	return fmt.Sprintf("%s/revision/%020d/%s", s.prefix, number, writer)
}
func (s *etcd) chunkKey(number uint64, writer string, chunk int) string {
	return fmt.Sprintf("%s/%06d", s.revisionKey(number, writer), chunk)
}

// head reads head and the newest entry. An entry without head is an error: a lost key is not an empty store.
func (s *etcd) head(ctx context.Context) (h etcdHead, err error) {
	var resp *clientv3.TxnResponse
	err = s.do(ctx, func(ctx context.Context, c *clientv3.Client) (err error) {
		resp, err = c.Txn(ctx).Then(clientv3.OpGet(s.headKey()),
			clientv3.OpGet(s.prefix+"/entry/", append(clientv3.WithLastKey(), clientv3.WithPrefix())...)).Commit()
		return err
	})
	if err != nil {
		return h, err
	}
	h.revision = resp.Header.Revision
	head, entries := resp.Responses[0].GetResponseRange().Kvs, resp.Responses[1].GetResponseRange().Kvs
	if len(head) == 0 && len(entries) == 0 {
		return h, nil
	}
	if len(head) == 0 || len(entries) == 0 {
		return h, damaged(s.headKey(), fmt.Errorf("%d head and %d entry; legal: both or none", len(head), len(entries)))
	}
	h.modified = head[0].ModRevision
	if h.number, err = strconv.ParseUint(string(head[0].Value), 10, 64); err != nil || s.entryKey(h.number) != string(entries[0].Key) {
		return h, damaged(s.headKey(), fmt.Errorf("it is %q, and the newest entry is %s", head[0].Value, entries[0].Key))
	}
	if h.entry, err = decodeEntry(entries[0].Value, h.number); err != nil {
		return h, damaged(string(entries[0].Key), err)
	}
	return h, nil
}

func (s *etcd) Head(ctx context.Context) (*vbrv1.StoredRevision, error) {
	h, err := s.head(ctx)
	if err != nil || h.number == 0 {
		return nil, err
	}
	return s.read(ctx, h.entry)
}

func (s *etcd) Get(ctx context.Context, number uint64) (*vbrv1.StoredRevision, error) {
	entry, err := s.entry(ctx, number)
	if err != nil {
		return nil, err
	}
	return s.read(ctx, entry)
}

func (s *etcd) entry(ctx context.Context, number uint64) (*vbrv1.StoredEntry, error) {
	value, err := s.value(ctx, s.entryKey(number))
	if err != nil {
		return nil, err
	}
	if value == nil {
		return nil, fmt.Errorf("revision %d: %w", number, ErrNotFound)
	}
	entry, err := decodeEntry(value, number)
	if err != nil {
		return nil, damaged(s.entryKey(number), err)
	}
	return entry, nil
}

// read puts together the chunks that the entry leads to.
func (s *etcd) read(ctx context.Context, entry *vbrv1.StoredEntry) (*vbrv1.StoredRevision, error) {
	number := entry.Revision.Number
	var record []byte
	for i := range int(entry.Chunks) {
		at := s.chunkKey(number, entry.Writer, i)
		chunk, err := s.value(ctx, at)
		if err != nil {
			return nil, err
		}
		if chunk == nil { // gone from the history just now?
			if _, err := s.entry(ctx, number); err != nil {
				return nil, err
			}
			return nil, damaged(at, errors.New("there is no such key"))
		}
		record = append(record, chunk...)
	}
	r, err := join(entry, record)
	if err != nil {
		return nil, damaged(s.revisionKey(number, entry.Writer), err)
	}
	return r, nil
}

// value is nil if there is no such key.
func (s *etcd) value(ctx context.Context, key string) (value []byte, err error) {
	err = s.do(ctx, func(ctx context.Context, c *clientv3.Client) error {
		resp, err := c.Get(ctx, key)
		if err == nil && len(resp.Kvs) > 0 {
			value = resp.Kvs[0].Value
		}
		return err
	})
	return value, err
}

func (s *etcd) List(ctx context.Context, limit int) (list []*vbrv1.Revision, err error) {
	var resp *clientv3.GetResponse
	err = s.do(ctx, func(ctx context.Context, c *clientv3.Client) (err error) {
		resp, err = c.Get(ctx, s.prefix+"/entry/", clientv3.WithPrefix(), clientv3.WithLimit(int64(max(limit, 0))),
			clientv3.WithSort(clientv3.SortByKey, clientv3.SortDescend))
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, kv := range resp.Kvs {
		number, err := strconv.ParseUint(strings.TrimPrefix(string(kv.Key), s.prefix+"/entry/"), 10, 64)
		if err != nil {
			return nil, damaged(string(kv.Key), err)
		}
		entry, err := decodeEntry(kv.Value, number)
		if err != nil {
			return nil, damaged(string(kv.Key), err)
		}
		list = append(list, entry.Revision)
	}
	return list, nil
}

func (s *etcd) Append(ctx context.Context, r *vbrv1.StoredRevision) error {
	record, err := encode(r)
	if err != nil {
		return err
	}
	h, err := s.head(ctx)
	if err != nil {
		return err
	}
	number := r.Revision.Number
	if number != h.number+1 {
		return conflict(number, h.number)
	}
	entry := &vbrv1.StoredEntry{Revision: r.Revision, Writer: rand.Text()}
	for chunk := range slices.Chunk(record, chunkSize) {
		if err := s.put(ctx, s.chunkKey(number, entry.Writer, int(entry.Chunks)), chunk); err != nil {
			s.remove(ctx, entry)
			return err
		}
		entry.Chunks++
	}
	// From here on the caller's going must not leave open what has happened.
	ctx = context.WithoutCancel(ctx)
	won, err := s.commit(ctx, h, entry)
	if err != nil {
		return s.settle(ctx, entry, err)
	}
	if !won {
		s.remove(ctx, entry)
		return fmt.Errorf("revision %d: %w: another writer was faster", number, ErrConflict)
	}
	return nil
}

func (s *etcd) put(ctx context.Context, key string, value []byte) error {
	return s.do(ctx, func(ctx context.Context, c *clientv3.Client) error {
		return fault.Around("store.chunk", func() error {
			_, err := c.Put(ctx, key, string(value))
			return err
		})
	})
}

// remove takes back the chunks of an Append that has lost. If etcd is away now, the next Append removes them.
func (s *etcd) remove(ctx context.Context, entry *vbrv1.StoredEntry) {
	_ = s.do(context.WithoutCancel(ctx), func(ctx context.Context, c *clientv3.Client) error {
		_, err := c.Delete(ctx, s.revisionKey(entry.Revision.Number, entry.Writer)+"/", clientv3.WithPrefix())
		return err
	})
}

// commit makes the entry the head, if h still is.
func (s *etcd) commit(ctx context.Context, h etcdHead, entry *vbrv1.StoredEntry) (won bool, err error) {
	ops := s.tidy(entry)
	if h.number > 0 {
		ops = append(ops, s.tidy(h.entry)...)
	}
	if number := entry.Revision.Number; number > s.keep {
		old := number - s.keep
		ops = append(ops, clientv3.OpDelete(s.entryKey(old)), clientv3.OpDelete(s.revisionKey(old, ""), clientv3.WithPrefix()))
	}
	return s.write(ctx, h, entry, ops)
}

// tidy removes the chunks of others for the entry's number: what sorts before and after its own.
func (s *etcd) tidy(entry *vbrv1.StoredEntry) []clientv3.Op {
	all := s.revisionKey(entry.Revision.Number, "")
	own := s.revisionKey(entry.Revision.Number, entry.Writer) + "/"
	return []clientv3.Op{
		clientv3.OpDelete(all, clientv3.WithRange(own)),
		clientv3.OpDelete(clientv3.GetPrefixRangeEnd(own), clientv3.WithRange(clientv3.GetPrefixRangeEnd(all))),
	}
}

// write puts entry and head, and does more, if head is still h.
func (s *etcd) write(ctx context.Context, h etcdHead, entry *vbrv1.StoredEntry, more []clientv3.Op) (won bool, err error) {
	value, err := encodeEntry(entry)
	if err != nil {
		return false, err
	}
	number := entry.Revision.Number
	ops := append(more, clientv3.OpPut(s.entryKey(number), string(value)),
		clientv3.OpPut(s.headKey(), strconv.FormatUint(number, 10)))
	err = s.do(ctx, func(ctx context.Context, c *clientv3.Client) error {
		return fault.Around("store.commit", func() error {
			resp, err := c.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(s.headKey()), "=", h.modified)).Then(ops...).Commit()
			won = err == nil && resp.Succeeded
			return err
		})
	})
	return won, err
}

// settle finds out what became of a transaction whose answer was lost. While head is the one before, it may yet come
// true: its chunks stay.
func (s *etcd) settle(ctx context.Context, entry *vbrv1.StoredEntry, lost error) error {
	number := entry.Revision.Number
	h, err := s.head(ctx)
	if err != nil || h.number < number {
		return lost
	}
	now := h.entry
	if h.number > number {
		if now, err = s.entry(ctx, number); err != nil {
			return lost
		}
	}
	if now.Writer == entry.Writer {
		return nil
	}
	s.remove(ctx, entry)
	return conflict(number, h.number)
}

func (s *etcd) Confirm(ctx context.Context, number uint64) error {
	h, err := s.head(ctx)
	if err != nil {
		return err
	}
	if number != h.number || number == 0 {
		return conflict(number, h.number)
	}
	h.entry.Revision.ConfirmBy = nil
	won, err := s.write(ctx, h, h.entry, nil)
	if err == nil && !won {
		err = fmt.Errorf("revision %d: %w: another writer was faster", number, ErrConflict)
	}
	return err
}
