package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

// scriptedCluster is a cluster that tells what it was asked.
type scriptedCluster struct {
	Membership
	asked string
}

func (s *scriptedCluster) Status(ctx context.Context) (ClusterStatus, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		return ClusterStatus{}, errors.New("could take for ever")
	}
	return ClusterStatus{View: 7, Service: "ok", Nodes: []ClusterNode{{Node: cluster.Node{Name: "n1"}}}, Moves: []ClusterMove{}}, nil
}

func (s *scriptedCluster) Plan(context.Context) (ClusterPlan, error) {
	return ClusterPlan{Moves: []PlannedMove{{Partition: 3, To: "b"}}}, nil
}

func (s *scriptedCluster) Change(_ context.Context, c ClusterChange) ([]string, error) {
	s.asked = fmt.Sprintf("%s %q %v %v %s", c.Verb, c.Node, c.Partitions, c.Force, c.Author)
	if c.Node == "conflict" {
		return nil, codedError{errors.New("no")}
	}
	return []string{"a note"}, nil
}

func (s *scriptedCluster) CreateToken(_ context.Context, terms TokenTerms) (string, JoinToken, error) {
	s.asked = fmt.Sprintf("%v %d %s", terms.TTL, terms.Uses, terms.Note)
	return "larder1.x", JoinToken{ID: "id", Expires: time.UnixMilli(5)}, nil
}

func (s *scriptedCluster) Tokens(context.Context) ([]JoinToken, error) { return nil, nil }

func (s *scriptedCluster) RevokeToken(_ context.Context, id string) error {
	s.asked = "revoke " + id
	return nil
}

func (s *scriptedCluster) Coordinators(context.Context) ([]Coordinator, error) {
	return []Coordinator{{Name: "n1", Healthy: true}}, nil
}

func (s *scriptedCluster) ReplaceCoordinator(_ context.Context, former, next, author string) ([]string, error) {
	s.asked = fmt.Sprintf("replace %s %q %s", former, next, author)
	return nil, nil
}

func TestLarderCluster(t *testing.T) {
	const author = "default@127.0.0.1"
	noted := "*1 $6 a note"
	for _, c := range []struct{ request, asked, reply string }{
		{"drain n2", `drain "n2" [] false ` + author, noted},
		{"ACTIVATE n2", `activate "n2" [] false ` + author, noted},
		{"failover n2", `failover "n2" [] false ` + author, noted},
		{"failover", "", "-ERR wrong number of arguments for 'larder|cluster failover'. Try LARDER HELP."},
		{"restart n2", `restart "n2" [] false ` + author, noted},
		{"remove n2 FORCE", `remove "n2" [] true ` + author, noted},
		{"remove force", `remove "force" [] false ` + author, noted}, // a node of that name
		{"remove n2 now", "", "-ERR syntax error"},
		{"leave", `remove "" [] false ` + author, noted},
		{"drain conflict", `drain "conflict" [] false ` + author, "-CONFLICT no"},
		{"move n2 3-5 1 4", `move "n2" [1 3 4 5] false ` + author, noted},
		{"move n2 3 force", `move "n2" [3] true ` + author, noted},
		{"move n2 force", "", "-ERR syntax error"},
		{"move n2 5-3", "", "-ERR '5-3' is no partition and no range of them: they are numbered from 0 to 1023"},
		{"move n2 1024", "", "-ERR '1024' is no partition and no range of them: they are numbered from 0 to 1023"},
		{"move n2 0-99999999999999999999", "", "-ERR '0-99999999999999999999' is no partition and no range of them: they are numbered from 0 to 1023"},
		{"release", `release "" [] false ` + author, noted},
		{"release 7 force", `release "" [7] true ` + author, noted},
		{"pause", `pause "" [] false ` + author, noted},
		{"resume", `resume "" [] false ` + author, noted},
		{"resume force", `resume "" [] true ` + author, noted},
		{"resume n1", "", "-ERR syntax error"},
		{"rebalance", `rebalance "" [] false ` + author, noted},
		{"accept-loss 3-4 9", `accept-loss "" [3 4 9] false ` + author, noted},
		{"accept-loss 3 force", "", "-ERR syntax error"},
		{"token create", "0s 0 ", "*3 $9 larder1.x $2 id :5"},
		{"token create ttl 60 uses 2 note rack-7", "1m0s 2 rack-7", "*3 $9 larder1.x $2 id :5"},
		{"token create ttl -1", "-1s 0 ", "*3 $9 larder1.x $2 id :5"},
		{"token create ttl 0", "", "-ERR wrong value of 'ttl'. Try LARDER HELP."},
		{"token create note", "", "-ERR syntax error"},
		{"token list json", "", "$2 []"},
		{"token list", "", "*0"},
		{"token revoke abcd", "revoke abcd", "*0"},
		{"token steal x", "", "-ERR syntax error"},
		{"coordinators json", "", `$78 [{"node":"","name":"n1","address":"","leader":false,"healthy":true,"bytes":0}]`},
		{"coordinator replace n1", `replace n1 "" ` + author, "*0"},
		{"coordinator replace n1 n4", `replace n1 "n4" ` + author, "*0"},
		{"coordinator move n1", "", "-ERR syntax error"},
		{"plan text", "", "-ERR syntax error"},
		{"fly", "", "-ERR unknown word 'fly' behind LARDER CLUSTER. Try LARDER HELP."},
		{"drain", "", "-ERR wrong number of arguments for 'larder|cluster drain'. Try LARDER HELP."},
	} {
		r := newTester(t)
		s := &scriptedCluster{}
		r.x.JoinCluster(s)
		got := strings.TrimSpace(strings.ReplaceAll(r.do(append([]string{"LARDER", "CLUSTER"}, strings.Fields(c.request)...)...), "\r\n", " "))
		if s.asked != c.asked || got != c.reply {
			t.Errorf("%s: asked %q, replied %q; want %q, %q", c.request, s.asked, got, c.asked, c.reply)
		}
	}
	r := newTester(t)
	if got := r.do("LARDER", "CLUSTER", "STATUS"); got != "-"+errAlone+"\r\n" {
		t.Errorf("a node that is alone: %q", got)
	}
	r.x.JoinCluster(&scriptedCluster{})
	if got := r.do("LARDER", "CLUSTER", "STATUS", "JSON"); !strings.Contains(got, `"view":7`) {
		t.Errorf("status: %q", got)
	}
	if got := r.do("LARDER", "CLUSTER", "PLAN", "JSON"); !strings.Contains(got, `"partition":3,"to":"b"`) {
		t.Errorf("plan: %q", got)
	}
	r.do("HELLO", "3")
	if got := r.do("LARDER", "CLUSTER", "STATUS"); !strings.HasPrefix(got, "%") || !strings.Contains(got, "$4\r\nview\r\n:7\r\n") {
		t.Errorf("status as a map: %q", got)
	}
}
