package etcd

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Coordinator is a member of the store's cluster, as one sees it from here.
type Coordinator struct {
	// ID is etcd's, in hexadecimal; Name the node's id, empty before its first start.
	ID, Name string
	// PeerAddresses and ClientAddresses are host:port.
	PeerAddresses, ClientAddresses []string
	// Learner: it has no vote (yet).
	Learner bool
	// Leader of the members; at most one.
	Leader bool
	// Healthy: it answered, and knows a leader. Otherwise Problem says why not.
	Healthy bool
	Problem string
	// Version of its etcd; StoreBytes that its file takes. Of a healthy one only.
	Version    string
	StoreBytes int64
}

// Members lists the coordinators and asks each of them how it is. Without a quorum
// it is the list as one member has it, and nobody is healthy who cannot be.
func (s *Store) Members(ctx context.Context) ([]Coordinator, error) {
	raw, err := s.listMembers(ctx)
	if err != nil {
		if raw, err = s.listMembers(ctx, clientv3.WithSerializable()); err != nil {
			return nil, err
		}
	}
	list := make([]Coordinator, len(raw))
	statuses := make([]*clientv3.StatusResponse, len(raw))
	var asked sync.WaitGroup
	for i, m := range raw {
		list[i] = coordinatorOf(m)
		asked.Go(func() { statuses[i] = s.ask(ctx, m, &list[i]) })
	}
	asked.Wait()
	markLeader(list, statuses)
	return list, nil
}

func (s *Store) listMembers(ctx context.Context, opts ...clientv3.OpOption) ([]*pb.Member, error) {
	cctx, cancel := s.conn.bounded(ctx)
	defer cancel()
	got, err := s.conn.client().MemberList(cctx, opts...)
	if err != nil {
		return nil, failure(ctx, "list coordinators", err)
	}
	return got.Members, nil
}

func coordinatorOf(m *pb.Member) Coordinator {
	return Coordinator{
		ID: idString(m.ID), Name: m.Name, Learner: m.IsLearner,
		PeerAddresses: addressesOf(m.PeerURLs), ClientAddresses: addressesOf(m.ClientURLs),
	}
}

func addressesOf(urls []string) []string {
	addresses := make([]string, len(urls))
	for i, raw := range urls {
		addresses[i] = raw
		if u, err := url.Parse(raw); err == nil && u.Host != "" {
			addresses[i] = u.Host
		}
	}
	return addresses
}

// ask fills in how a member is, over a connection of its own: the store's may be
// with any member. nil when it did not answer.
func (s *Store) ask(ctx context.Context, m *pb.Member, c *Coordinator) *clientv3.StatusResponse {
	if len(m.ClientURLs) == 0 {
		c.Problem = "not started"
		return nil
	}
	var got *clientv3.StatusResponse
	cctx, cancel := s.conn.bounded(ctx)
	defer cancel()
	err := s.at(cctx, m, func(ctx context.Context, client *clientv3.Client) (err error) {
		got, err = client.Status(ctx, m.ClientURLs[0])
		return err
	})
	switch {
	case err != nil:
		c.Problem = plain(err)
		return nil
	case got.Leader == 0:
		c.Problem = "knows no leader"
	case len(got.Errors) > 0:
		c.Problem = got.Errors[0]
		c.Healthy = true // it takes part; what it complains about is for people
	default:
		c.Healthy = true
	}
	c.Version, c.StoreBytes = got.Version, got.DbSize
	return got
}

// at runs do on a connection with this one member.
func (s *Store) at(ctx context.Context, m *pb.Member, do func(context.Context, *clientv3.Client) error) error {
	client, err := dial(ClientConfig{
		Endpoints: m.ClientURLs, TLS: s.conn.tls, Timeout: s.conn.timeout,
		User: s.conn.client().Username, Password: s.conn.client().Password,
	}, s.conn.log)
	if err != nil {
		return err
	}
	defer client.Close()
	return do(ctx, client)
}

// markLeader believes the answer of the highest term.
func markLeader(list []Coordinator, statuses []*clientv3.StatusResponse) {
	var leader, term uint64
	for _, s := range statuses {
		if s != nil && s.Leader != 0 && s.RaftTerm >= term {
			leader, term = s.Leader, s.RaftTerm
		}
	}
	for i := range list {
		list[i].Leader = leader != 0 && list[i].ID == idString(leader)
	}
}

// RemoveMember takes a coordinator, by name or id, out of the cluster; its process
// notices and ends its member with [ErrRemoved]. [ErrWouldLoseQuorum] when too few
// of the others answer, [ErrNotFound] when there is none.
func (s *Store) RemoveMember(ctx context.Context, nameOrID string) error {
	list, err := s.Members(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(c Coordinator) bool { return c.ID == nameOrID || c.Name == nameOrID })
	if i < 0 || nameOrID == "" {
		return fmt.Errorf("remove coordinator %q: %w", nameOrID, ErrNotFound)
	}
	if !list[i].Learner {
		if err := mayRemove(list, i); err != nil {
			return fmt.Errorf("remove coordinator %q: %w", nameOrID, err)
		}
	}
	var id uint64
	if _, err := fmt.Sscanf(list[i].ID, "%x", &id); err != nil {
		return fmt.Errorf("remove coordinator %q: %w", nameOrID, err)
	}
	return s.removeByID(ctx, id)
}

// mayRemove refuses when the voters without list[i] would have no quorum.
func mayRemove(list []Coordinator, i int) error {
	voters, healthy := 0, 0
	for k, c := range list {
		if k == i || c.Learner {
			continue
		}
		voters++
		if c.Healthy {
			healthy++
		}
	}
	if healthy < voters/2+1 {
		return fmt.Errorf("%w (%d of %d others answer)", ErrWouldLoseQuorum, healthy, voters)
	}
	return nil
}

func (s *Store) removeByID(ctx context.Context, id uint64) error {
	cctx, cancel := s.conn.bounded(ctx)
	defer cancel()
	_, err := s.conn.client().MemberRemove(cctx, id)
	return failure(ctx, "remove coordinator "+idString(id), err)
}
