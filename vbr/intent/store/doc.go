// Package store keeps the stored intent: what was applied through the API, every revision of it, whole.
//
// One interface, Store, and two existing engines behind it: a bbolt file on one host (OpenFile) and etcd v3 for a
// fleet (OpenEtcd). Both keep the last 1000 revisions, number them without gaps from 1, and say ErrConflict to all
// but one of those who append at the same time. Who is refused reads the head again and decides anew.
//
// A revision is one vbrv1.StoredRevision: marshalled, compressed and sealed with a SHA-256 that every read checks
// (codec.go). The same form on disk is the cache of what was last known, for the time etcd is away (cache.go).
//
// The package knows nothing of what the resources mean, of files that operators write, or of who may change what.
package store
