package etcd

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Revision counts the commits of the whole store. 0 is before the first.
type Revision int64

// Value is what a key holds. Data is the caller's to keep.
type Value struct {
	Data []byte
	// Revision of the last write to the key: the one for [If].
	Revision Revision
	// Created is the revision that the key came into being at.
	Created Revision
	// Version counts the writes since then, from 1.
	Version int64
}

// Entry is a key with its value.
type Entry struct {
	Key string
	Value
}

// Get reads a key, linearizably; [ErrNotFound] when it is absent.
func (s *Store) Get(ctx context.Context, key string) (Value, error) {
	cctx, cancel := s.conn.bounded(ctx)
	defer cancel()
	got, err := s.conn.client().Get(cctx, s.key(key))
	if err != nil {
		return Value{}, failure(ctx, fmt.Sprintf("get %q", key), err)
	}
	if len(got.Kvs) == 0 {
		return Value{}, fmt.Errorf("get %q: %w", key, ErrNotFound)
	}
	return valueOf(got.Kvs[0]), nil
}

// List reads all keys below prefix at one revision, sorted; the revision is the
// one to give to [Store.Watch].
func (s *Store) List(ctx context.Context, prefix string) ([]Entry, Revision, error) {
	cctx, cancel := s.conn.bounded(ctx)
	defer cancel()
	got, err := s.conn.client().Get(cctx, s.key(prefix), clientv3.WithPrefix())
	if err != nil {
		return nil, 0, failure(ctx, fmt.Sprintf("list %q", prefix), err)
	}
	entries := make([]Entry, len(got.Kvs))
	for i, kv := range got.Kvs {
		entries[i] = s.entryOf(kv)
	}
	return entries, Revision(got.Header.Revision), nil
}

// Put writes a key when all conditions hold, and says at which revision.
func (s *Store) Put(ctx context.Context, key string, data []byte, conditions ...Condition) (Revision, error) {
	return s.Commit(ctx, []Op{Write(key, data)}, conditions...)
}

// Delete removes a key when all conditions hold. [ErrNotFound] when it was absent
// already.
func (s *Store) Delete(ctx context.Context, key string, conditions ...Condition) (Revision, error) {
	done, err := s.commit(ctx, []Op{Remove(key)}, conditions)
	if err != nil {
		return 0, err
	}
	if done.Responses[0].GetResponseDeleteRange().Deleted == 0 {
		return 0, fmt.Errorf("delete %q: %w", key, ErrNotFound)
	}
	return Revision(done.Header.Revision), nil
}

// valueOf copies nothing: a response's bytes are its receiver's.
func valueOf(kv *keyValue) Value {
	return Value{
		Data: kv.Value, Revision: Revision(kv.ModRevision),
		Created: Revision(kv.CreateRevision), Version: kv.Version,
	}
}

func (s *Store) entryOf(kv *keyValue) Entry {
	return Entry{Key: string(kv.Key[len(s.prefix):]), Value: valueOf(kv)}
}
