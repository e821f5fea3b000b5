package etcd

import (
	"context"
	"fmt"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

type keyValue = mvccpb.KeyValue

// Op is one change of a commit.
type Op struct {
	key    string
	data   []byte
	kind   opKind
	leased clientv3.LeaseID // of a Write: the lease that the key lives by, 0 none
}

type opKind int

const (
	opWrite opKind = iota
	opRemove
)

// Write sets a key. data must not change until the commit has returned.
func Write(key string, data []byte) Op { return Op{key: key, data: data, kind: opWrite} }

// Remove deletes a key; it may be absent.
func Remove(key string) Op { return Op{key: key, kind: opRemove} }

func (o Op) etcd(s *Store) clientv3.Op {
	if o.kind == opRemove {
		return clientv3.OpDelete(s.key(o.key))
	}
	return clientv3.OpPut(s.key(o.key), string(o.data), clientv3.WithLease(o.leased))
}

// Condition must hold at the moment of a commit, or nothing of it happens.
type Condition struct {
	key    string
	full   string // the whole key, when it is not below the store's prefix
	wanted Revision
	kind   conditionKind
}

type conditionKind int

const (
	conditionRevision conditionKind = iota
	conditionOwner
)

// If holds when key was last written at revision. Revision 0 is [IfAbsent].
func If(key string, revision Revision) Condition {
	return Condition{key: key, wanted: revision}
}

// IfAbsent holds when key does not exist.
func IfAbsent(key string) Condition { return Condition{key: key} }

// IfOwner holds while l has not been followed by another leadership, whether its
// holder noticed or not. It can be used with any store on the same etcd.
func IfOwner(l *Leadership) Condition {
	return Condition{key: l.name, full: l.key, wanted: l.revision, kind: conditionOwner}
}

func (c Condition) fullKey(s *Store) string {
	if c.full != "" {
		return c.full
	}
	return s.key(c.key)
}

func (c Condition) etcd(s *Store) clientv3.Cmp {
	if c.kind == conditionOwner {
		return clientv3.Compare(clientv3.CreateRevision(c.fullKey(s)), "=", int64(c.wanted))
	}
	return clientv3.Compare(clientv3.ModRevision(c.fullKey(s)), "=", int64(c.wanted))
}

// conflict is nil when c holds for kv, which is nil when the key is absent.
func (c Condition) conflict(kv *keyValue) *Conflict {
	var modified, created Revision
	if kv != nil {
		modified, created = Revision(kv.ModRevision), Revision(kv.CreateRevision)
	}
	switch {
	case c.kind == conditionOwner && created != c.wanted:
		return &Conflict{Key: c.key, Wanted: c.wanted, Current: created, election: true}
	case c.kind == conditionRevision && modified != c.wanted:
		return &Conflict{Key: c.key, Wanted: c.wanted, Current: modified}
	}
	return nil
}

// Commit makes all changes at one revision when all conditions hold, and
// otherwise none, with a [*Conflict]. A key may be written once in a commit.
func (s *Store) Commit(ctx context.Context, ops []Op, conditions ...Condition) (Revision, error) {
	done, err := s.commit(ctx, ops, conditions)
	if err != nil {
		return 0, err
	}
	return Revision(done.Header.Revision), nil
}

func (s *Store) commit(ctx context.Context, ops []Op, conditions []Condition) (*clientv3.TxnResponse, error) {
	cmps := make([]clientv3.Cmp, len(conditions))
	reads := make([]clientv3.Op, len(conditions)) // for the answer, should one not hold
	for i, c := range conditions {
		cmps[i], reads[i] = c.etcd(s), clientv3.OpGet(c.fullKey(s), clientv3.WithKeysOnly())
	}
	changes, bytes := make([]clientv3.Op, len(ops)), 0
	for i, o := range ops {
		changes[i] = o.etcd(s)
		bytes += len(o.key) + len(o.data)
	}
	if bytes > maxCommitBytes {
		return nil, fmt.Errorf("write %s, %d bytes: %w", opsText(ops), bytes, ErrTooLarge)
	}
	cctx, cancel := s.conn.bounded(ctx)
	defer cancel()
	done, err := s.conn.client().Txn(cctx).If(cmps...).Then(changes...).Else(reads...).Commit()
	if err != nil {
		return nil, failure(ctx, "write "+opsText(ops), err)
	}
	if !done.Succeeded {
		return nil, fmt.Errorf("write %s: %w", opsText(ops), conflictOf(done, conditions))
	}
	return done, nil
}

// conflictOf is the first condition that did not hold, by what the refused commit
// read instead of writing.
func conflictOf(refused *clientv3.TxnResponse, conditions []Condition) error {
	for i, c := range conditions {
		var kv *keyValue
		if kvs := refused.Responses[i].GetResponseRange().Kvs; len(kvs) > 0 {
			kv = kvs[0]
		}
		if conflict := c.conflict(kv); conflict != nil {
			return conflict
		}
	}
	return ErrConflict
}

func opsText(ops []Op) string {
	if len(ops) == 0 {
		return "nothing"
	}
	if len(ops) == 1 {
		return fmt.Sprintf("%q", ops[0].key)
	}
	return fmt.Sprintf("%q and %d more", ops[0].key, len(ops)-1)
}
