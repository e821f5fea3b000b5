package membership

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/cluster/controller"
)

// promised is until when this node has to wait before it answers requests for
// partitions that it has promised itself for: as long as their former owner may
// believe to be the owner. Safe for concurrent use.
type promised struct {
	mu    sync.Mutex
	until map[int]time.Duration // GUARDED_BY(mu), by member time
}

// waits reports whether it is too early.
func (p *promised) waits(partition int, now time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return now < p.until[partition]
}

func (p *promised) set(partition int, until time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.until == nil {
		p.until = map[int]time.Duration{}
	}
	p.until[partition] = max(p.until[partition], until)
}

// drift is by how much two clocks may differ over a lease, and then some.
const drift = 50 * time.Millisecond

// prepare is what a controller asks for: promises on partitions, at epochs.
type prepare struct {
	Partitions []int           `json:"p"`
	Epochs     []cluster.Epoch `json:"e"`
}

// promises is the answer.
type promises struct {
	Incarnation uint64   `json:"incarnation"`
	Seqs        []uint64 `json:"s"`
	Whole       []bool   `json:"w"`
}

// promise answers a controller: this node takes nothing from owners of lower
// epochs from now on.
func (m *Member) promise(payload []byte) ([]byte, error) {
	var q prepare
	if err := json.Unmarshal(payload, &q); err != nil || len(q.Partitions) != len(q.Epochs) {
		return nil, fmt.Errorf("preparation cannot be read: %v", err)
	}
	m.mu.Lock()
	v := m.routed.view
	m.mu.Unlock()
	a := promises{Incarnation: m.cfg.Incarnation}
	for i, p := range q.Partitions {
		if p < 0 || p >= cluster.Partitions {
			return nil, fmt.Errorf("there is no partition %d", p)
		}
		seq, whole := m.receiver.Promise(p, uint64(q.Epochs[i]))
		if log := m.logs.Log(p); log != nil {
			seq = max(seq, log.Seq()) // it has not heard yet that it is the owner no more
		}
		if v != nil {
			m.waitFor(p, v.Owner(p))
		}
		a.Seqs, a.Whole = append(a.Seqs, seq), append(a.Whole, whole && m.has.get(p) != nothing)
	}
	return json.Marshal(&a)
}

// waitFor keeps a partition from being served for as long as its former owner may
// count on the last answer that this node has given it.
func (m *Member) waitFor(p int, former cluster.NodeID) {
	if ago, ok := m.receiver.Answered(string(former)); ok && m.cfg.Lease > 0 {
		m.promised.set(p, m.now()-ago+m.cfg.Lease+drift)
	}
}

// ask asks nodes for promises and keeps their answers for the next decision.
func (m *Member) ask(v *cluster.View, list []controller.Preparation) {
	of := map[cluster.NodeID]*prepare{}
	for _, q := range list {
		for _, id := range q.Ask {
			if of[id] == nil {
				of[id] = &prepare{}
			}
			of[id].Partitions, of[id].Epochs = append(of[id].Partitions, q.Partition), append(of[id].Epochs, q.Epoch)
		}
	}
	for id, q := range of {
		if !m.lead.asks(id) {
			continue // one question at a time
		}
		m.goes(func() {
			defer m.lead.asked(id)
			a, err := m.askNode(v.Node(id), q)
			if err != nil {
				m.log.Warn("a node has promised nothing", "node", id.Short(), "reason", err)
				m.pause(20 * time.Millisecond)
			} else {
				m.lead.keep(id, q, a)
			}
			m.lead.nudge()
		})
	}
}

// askTimeout bounds one question.
const askTimeout = 300 * time.Millisecond

func (m *Member) askNode(to *cluster.Node, q *prepare) (a promises, err error) {
	if to == nil {
		return a, fmt.Errorf("it is not in the view")
	}
	payload, err := json.Marshal(q)
	if err != nil {
		return a, err
	}
	var answer []byte
	if to.ID == m.id {
		answer, err = m.promise(payload)
	} else {
		ctx, cancel := context.WithTimeout(m.ctx, askTimeout)
		defer cancel()
		answer, err = m.cfg.Peers.Call(ctx, to, CallPrepare, payload)
	}
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return a, err
	}
	if len(a.Seqs) != len(q.Partitions) || len(a.Whole) != len(q.Partitions) {
		return a, fmt.Errorf("it has answered %d of %d", len(a.Seqs), len(q.Partitions))
	}
	return a, nil
}

// asks notes that a node is asked; false when it is being asked already.
func (l *lead) asks(id cluster.NodeID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.asking[id] {
		return false
	}
	l.asking[id] = true
	return true
}

func (l *lead) asked(id cluster.NodeID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.asking, id)
}

// keep keeps the promises of a node, in place of its earlier ones.
func (l *lead) keep(id cluster.NodeID, q *prepare, a promises) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, p := range q.Partitions {
		list := make([]controller.Promise, 0, len(l.promises[p])+1)
		for _, o := range l.promises[p] {
			if o.Node != id {
				list = append(list, o)
			}
		}
		l.promises[p] = append(list, controller.Promise{Node: id, Incarnation: a.Incarnation, Epoch: q.Epochs[i], Seq: a.Seqs[i], Whole: a.Whole[i]})
	}
}
