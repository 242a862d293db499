package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/openvbr/openvbr/vbr/config"
	"github.com/openvbr/openvbr/vbr/intent/store"
)

// openStore opens the store. A damaged one is set aside, and why is returned beside the new and empty one; also at later starts, since vbrd may
// have died before it did something about it.
func openStore(s *config.Settings, log *slog.Logger) (st store.Store, damage, err error) {
	if s.Store.Type == "etcd" {
		st, err = openEtcd(s.Store.Etcd)
		return st, nil, err
	}
	st, err = store.OpenFile(s.Store.Path)
	var corrupt *store.CorruptError
	if !errors.As(err, &corrupt) {
		if aside := store.Aside(s.Store.Path); aside != "" && err == nil {
			damage = &store.CorruptError{Path: s.Store.Path, SetAside: aside, Err: errors.New("found at an earlier start")}
		}
		return st, damage, err
	}
	log.Error("THE STORE IS DAMAGED and was set aside; vbrd goes on with what it last knew", "path", corrupt.Path, "set_aside", corrupt.SetAside, "err", corrupt.Err)
	st, err = store.OpenFile(s.Store.Path)
	return st, corrupt, err
}

func openEtcd(e config.Etcd) (store.Store, error) {
	cfg := store.EtcdConfig{Endpoints: e.Endpoints, Prefix: e.Prefix, Username: e.Username, Timeout: e.Timeout}
	var err error
	if cfg.TLS, err = e.TLS.TLSConfig(); err != nil {
		return nil, err
	}
	if e.PasswordFile != "" {
		if cfg.Password, err = config.ReadPassword(e.PasswordFile); err != nil {
			return nil, fmt.Errorf("store.etcd.password_file: %s: %w", e.PasswordFile, err)
		}
	}
	return store.OpenEtcd(cfg)
}

// cachePath is where what was last known of the store is kept: for each store another.
func cachePath(s *config.Settings) string {
	what := s.Store.Path
	if s.Store.Type == "etcd" {
		what = s.Store.Etcd.Prefix
	}
	sum := sha256.Sum256([]byte(what))
	return filepath.Join(s.StateDir, "cache-"+s.Store.Type+"-"+hex.EncodeToString(sum[:4]))
}
