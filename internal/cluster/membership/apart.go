package membership

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

// Two nodes that do not reach each other, while others reach both
//
// Nobody is dead then, and nobody is followed. What waits for the other node's
// answer is given up as soon as a third node says that it hears that node: requests
// go by way of others from then on. One of the two may also be without the
// configuration service, whose leader the other one runs: it asks those that it
// hears for what it cannot read, and for its end when it is the controller.

const (
	// apartAfter is for how long a node may owe an answer until others are asked
	// whether they hear it.
	apartAfter = 400 * time.Millisecond
	// freshAfter is the silence up to which a node can be vouched for: who is
	// listened to is heard every 100 ms.
	freshAfter = 200 * time.Millisecond
	// inquireFor bounds one question for news.
	inquireFor = 200 * time.Millisecond
	// stuckAfter is from when on a controller that waits for the configuration
	// service finds out whether it can read from it, within probeFor.
	stuckAfter = 100 * time.Millisecond
	probeFor   = 150 * time.Millisecond
)

// apart is what a node asks others since it does not hear somebody.
type apart struct {
	doubted   map[cluster.NodeID]bool // of whom others are being asked
	inquiring bool
}

// bypass gives up what waits for nodes from which nothing comes, of those that
// other nodes hear: it is not they that hang, but the way to them.
func (m *Member) bypass(overdue []cluster.NodeID) {
	for _, id := range overdue {
		m.mu.Lock()
		n := m.view.Node(id)
		ask := n != nil && !m.apart.doubted[id]
		if ask {
			m.apart.doubted[id] = true
		}
		m.mu.Unlock()
		if !ask {
			continue
		}
		m.goes(func() {
			if vouched, _ := m.vouchedFor(CallReaches, id); vouched {
				m.cfg.Peers.Abandon(n)
			}
			m.mu.Lock()
			delete(m.apart.doubted, id)
			m.mu.Unlock()
		})
	}
}

// reaches answers whether this node has just heard the one it is asked about.
func (m *Member) reaches(id cluster.NodeID) []byte {
	v := m.View()
	if v == nil || v.Node(id) == nil || !isWatcher(v, m.id) {
		return nil // it does not listen
	}
	if h := m.cfg.Peers.Hear(v.Node(id)); h.Gone || h.Silent >= freshAfter {
		return nil
	}
	return []byte(hearsIt)
}

// news is the answer to CallNews: what the configuration service has told a node.
type news struct {
	View   []byte         `json:"view,omitempty"` // nil: the other one's is as new
	Leader cluster.NodeID `json:"leader"`
	Term   int64          `json:"term"` // revision at which Leader was told
}

// tellNews answers a node that has a view of some version.
func (m *Member) tellNews(payload []byte) ([]byte, error) {
	var version uint64
	if err := json.Unmarshal(payload, &version); err != nil {
		return nil, fmt.Errorf("question for news: %w", err)
	}
	m.mu.Lock()
	v, a := m.view, news{Leader: m.leader, Term: m.leaderAt}
	m.mu.Unlock()
	if v != nil && v.Version > version {
		a.View = v.Encode()
	}
	return json.Marshal(&a)
}

// inquire asks the nodes that this one hears for what it may not be told by the
// configuration service: the leader of that may be who is not heard.
func (m *Member) inquire() {
	m.mu.Lock()
	busy := m.apart.inquiring
	m.apart.inquiring = true
	m.mu.Unlock()
	if busy {
		return
	}
	m.goes(func() {
		ctx, cancel := context.WithTimeout(m.ctx, inquireFor)
		defer cancel()
		question, err := json.Marshal(m.View().Version)
		if err != nil {
			panic("membership: " + err.Error()) // a number
		}
		asked := m.vouchers("")
		done := make(chan struct{}, len(asked))
		for _, n := range asked {
			m.goes(func() {
				m.hearNews(ctx, n, question)
				done <- struct{}{}
			})
		}
		for range asked {
			<-done
		}
		m.mu.Lock()
		m.apart.inquiring = false
		m.mu.Unlock()
	})
}

// hearNews asks one node.
func (m *Member) hearNews(ctx context.Context, n *cluster.Node, question []byte) {
	data, err := m.cfg.Peers.Call(ctx, n, CallNews, question)
	var a news
	if err != nil || json.Unmarshal(data, &a) != nil {
		return // it is down, or of an older release
	}
	m.mu.Lock()
	if a.Term > m.leaderAt {
		m.leader, m.leaderAt = a.Leader, a.Term
	}
	m.mu.Unlock()
	if v, err := cluster.DecodeView(a.View); len(a.View) > 0 && err == nil {
		m.learn(v)
	}
}

// whileStuck returns what is to be called when a decision of the controller is read
// from and written to the configuration service. As long as it is not, others are
// asked to depose this node if it cannot even read: they can write, or cannot depose
// it either.
func (m *Member) whileStuck() (over func()) {
	ctx, over := context.WithCancel(m.ctx)
	m.goes(func() {
		select {
		case <-time.After(stuckAfter):
			m.yield(ctx)
		case <-ctx.Done():
		}
	})
	return over
}

// yield asks for this node's end as the controller until ctx ends.
func (m *Member) yield(ctx context.Context) {
	for ctx.Err() == nil {
		probe, cancel := context.WithTimeout(ctx, probeFor)
		_, err := m.cfg.Configuration.Load(probe, keyController)
		cancel()
		if err == nil || errors.Is(err, ErrAbsent) || ctx.Err() != nil {
			return
		}
		for _, n := range m.vouchers("") {
			call, cancel := context.WithTimeout(ctx, deposeTimeout)
			_, err := m.cfg.Peers.Call(call, n, CallUnseat, nil)
			cancel()
			if err == nil {
				m.log.Warn("the configuration service cannot be reached: another controller is elected", "asked", n.ID.Short())
				return
			}
		}
		m.pause(listenEvery)
	}
}

// unseat deposes the controller by its own wish, if this node has the configuration
// service at hand.
func (m *Member) unseat(from cluster.NodeID) error {
	probe, cancel := context.WithTimeout(m.ctx, probeFor)
	defer cancel()
	elected, err := m.cfg.Configuration.Load(probe, keyController)
	switch {
	case errors.Is(err, ErrAbsent):
		return nil
	case err != nil:
		return err
	case string(elected.Data) != string(from):
		return nil // another one is elected already
	}
	ctx, done := context.WithTimeout(m.ctx, deposeTimeout)
	defer done()
	return m.cfg.Configuration.Depose(ctx, keyController, string(from))
}
