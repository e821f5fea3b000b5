package command

import (
	"context"
	"encoding/json"
	"maps"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

// errAlone is the answer of a node that is alone.
const errAlone = "ERR this node is not part of a cluster: start it with --cluster or --join"

// clusterPatience is how long a request of an operator may take: what it asks of
// the configuration service has limits of its own.
const clusterPatience = 20 * time.Second

// larderClusterActions are the words behind LARDER CLUSTER. The numbers are the
// fewest and the most words of a request.
var larderClusterActions = map[string]struct {
	least, most int
	run         func(*Context, ClusterAdmin)
}{
	"status":       {3, 4, larderClusterStatus},
	"plan":         {3, 4, larderClusterPlan},
	"drain":        {4, 4, clusterVerb(VerbDrain)},
	"activate":     {4, 4, clusterVerb(VerbActivate)},
	"failover":     {4, 4, clusterVerb(VerbFailover)},
	"restart":      {4, 4, clusterVerb(VerbRestart)},
	"remove":       {4, 5, clusterVerb(VerbRemove)},
	"leave":        {3, 3, clusterVerb(VerbRemove)},
	"move":         {5, math.MaxInt, larderClusterMove},
	"release":      {3, math.MaxInt, larderClusterRelease},
	"pause":        {3, 3, clusterVerb(VerbPause)},
	"resume":       {3, 4, clusterVerb(VerbResume)},
	"rebalance":    {3, 3, clusterVerb(VerbRebalance)},
	"accept-loss":  {4, math.MaxInt, larderClusterAcceptLoss},
	"token":        {4, 10, larderClusterToken},
	"coordinators": {3, 4, larderClusterCoordinators},
	"coordinator":  {5, 6, larderClusterCoordinator},
}

var larderClusterHelp = []string{
	"CLUSTER STATUS [JSON]",
	"    Return nodes, partitions, moves.",
	"CLUSTER PLAN [JSON]",
	"    Return what a rebalance would do.",
	"CLUSTER DRAIN <node>",
	"    Move what a node holds to the others; it stays a member.",
	"CLUSTER FAILOVER <node>",
	"    Let the nodes with copies own what a node owns; it stays a copy.",
	"CLUSTER ACTIVATE <node>",
	"    Let a node own partitions again.",
	"CLUSTER RESTART <node>",
	"    End a node in order and start its binary again.",
	"CLUSTER REMOVE <node> [FORCE]",
	"    Drain a node and let it go; with FORCE one that is dead.",
	"CLUSTER LEAVE",
	"    Remove the node that is asked.",
	"CLUSTER MOVE <node> <p>[-<q>] ... [FORCE]",
	"    Send partitions to a node, where they stay.",
	"CLUSTER RELEASE [<p>[-<q>] ...] [FORCE]",
	"    Give partitions that were sent somewhere, or all, back to the ring.",
	"CLUSTER PAUSE | RESUME [FORCE] | REBALANCE",
	"    Stop moving for balance; go on; go on at once.",
	"CLUSTER ACCEPT-LOSS <p>[-<q>] ...",
	"    Let partitions begin empty that nobody can serve any more.",
	"CLUSTER TOKEN CREATE [TTL <seconds>] [USES <count>] [NOTE <text>]",
	"    Make a token that lets nodes join; TTL -1 is for ever, USES 0 any number.",
	"CLUSTER TOKEN LIST [JSON] | REVOKE <id>",
	"    Show tokens, take one back.",
	"CLUSTER COORDINATORS [JSON]",
	"    Return the nodes that run the configuration service.",
	"CLUSTER COORDINATOR REPLACE <node> [<next>]",
	"    Give the part of a coordinator to another node.",
}

func runLarderCluster(c *Context) {
	word := string(lowered(c.Args[2]))
	action, known := larderClusterActions[word]
	admin := c.Exec.clusterAdmin()
	switch {
	case !known:
		c.Error("ERR unknown word '" + string(clip(c.Args[2], shownWords)) + "' behind LARDER CLUSTER. Try LARDER HELP.")
	case len(c.Args) < action.least || len(c.Args) > action.most:
		c.Error("ERR wrong number of arguments for 'larder|cluster " + word + "'. Try LARDER HELP.")
	case admin == nil:
		c.Error(errAlone)
	default:
		action.run(c, admin)
	}
}

// operator is who asks: unlike [Context.author] the same for every connection of
// a user from one machine, so that one may take back what one has asked for.
func (c *Context) operator() string {
	from := c.Link.RemoteAddr()
	if host, _, err := net.SplitHostPort(from); err == nil {
		from = host
	}
	return c.User + "@" + from
}

// asJSON reports whether the last word asks for JSON; ok is false when it is
// something else and the reply an error.
func (c *Context) asJSON(words [][]byte) (yes, ok bool) {
	if len(words) == 0 {
		return false, true
	}
	if !equalFold(words[0], "json") || len(words) > 1 {
		c.Error(errSyntax)
		return false, false
	}
	return true, true
}

// tell answers with a document: as it is in JSON, or the same as maps and arrays.
func (c *Context) tell(words [][]byte, ask func(context.Context) (any, error)) {
	asText, ok := c.asJSON(words)
	if !ok {
		return
	}
	var document any
	err := c.outside(clusterPatience, func(ctx context.Context) (err error) {
		document, err = ask(ctx)
		return err
	})
	if err != nil {
		c.failSettings(err)
		return
	}
	text, err := json.Marshal(document)
	if err != nil {
		panic("command: " + err.Error()) // numbers, strings and times
	}
	if asText {
		c.Out.Bulk(text)
		return
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	var generic any
	if err := d.Decode(&generic); err != nil {
		panic("command: " + err.Error()) // it was just written
	}
	c.value(generic)
}

// value answers with a value of JSON.
func (c *Context) value(v any) {
	switch v := v.(type) {
	case map[string]any:
		c.Out.Map(len(v))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			c.Out.BulkString(name)
			c.value(v[name])
		}
	case []any:
		c.Out.Array(len(v))
		for _, one := range v {
			c.value(one)
		}
	case json.Number:
		n, err := v.Int64()
		if err != nil {
			c.Out.BulkString(v.String())
			return
		}
		c.Out.Int(n)
	case bool:
		c.Out.Int(int64(b2i(v)))
	case string:
		c.Out.BulkString(v)
	default:
		c.Out.Null()
	}
}

func larderClusterStatus(c *Context, a ClusterAdmin) {
	c.tell(c.Args[3:], func(ctx context.Context) (any, error) { return a.Status(ctx) })
}

func larderClusterPlan(c *Context, a ClusterAdmin) {
	c.tell(c.Args[3:], func(ctx context.Context) (any, error) { return a.Plan(ctx) })
}

// clusterVerb returns the handler of a request about at most one node, behind
// which FORCE may stand.
func clusterVerb(verb ClusterVerb) func(*Context, ClusterAdmin) {
	return func(c *Context, a ClusterAdmin) {
		change := ClusterChange{Verb: verb, Author: c.operator()}
		words := c.Args[3:]
		if n := len(words); n > 0 && equalFold(words[n-1], "force") && (n == 2 || verb == VerbResume) {
			change.Force, words = true, words[:n-1]
		}
		switch {
		case len(words) == 1 && verb != VerbResume:
			change.Node = string(words[0])
		case len(words) > 0:
			c.Error(errSyntax)
			return
		}
		c.changeCluster(a, change)
	}
}

func larderClusterMove(c *Context, a ClusterAdmin) {
	change, ok := c.partitions(VerbMove, c.Args[4:])
	if !ok {
		return
	}
	if change.Node = string(c.Args[3]); len(change.Partitions) == 0 {
		c.Error(errSyntax)
		return
	}
	c.changeCluster(a, change)
}

func larderClusterRelease(c *Context, a ClusterAdmin) {
	if change, ok := c.partitions(VerbRelease, c.Args[3:]); ok {
		c.changeCluster(a, change)
	}
}

func larderClusterAcceptLoss(c *Context, a ClusterAdmin) {
	switch change, ok := c.partitions(VerbAcceptLoss, c.Args[3:]); {
	case !ok:
	case change.Force:
		c.Error(errSyntax)
	default:
		c.changeCluster(a, change)
	}
}

// partitions reads numbers and ranges of partitions, and FORCE behind them; ok is
// false when the reply is an error.
func (c *Context) partitions(verb ClusterVerb, words [][]byte) (change ClusterChange, ok bool) {
	change = ClusterChange{Verb: verb, Author: c.operator()}
	if n := len(words); n > 0 && equalFold(words[n-1], "force") {
		change.Force, words = true, words[:n-1]
	}
	for _, word := range words {
		first, last, isRange := strings.Cut(string(word), "-")
		if !isRange {
			last = first
		}
		p, errFirst := strconv.Atoi(first)
		q, errLast := strconv.Atoi(last)
		if errFirst != nil || errLast != nil || p < 0 || q < p || q >= cluster.Partitions {
			c.Error("ERR '" + string(clip(word, shownWords)) + "' is no partition and no range of them: they are numbered from 0 to " +
				strconv.Itoa(cluster.Partitions-1))
			return change, false
		}
		for ; p <= q; p++ {
			change.Partitions = append(change.Partitions, p)
		}
	}
	slices.Sort(change.Partitions)
	change.Partitions = slices.Compact(change.Partitions)
	return change, true
}

// changeCluster asks for a change and answers with the remarks.
func (c *Context) changeCluster(a ClusterAdmin, change ClusterChange) {
	c.remarks(func(ctx context.Context) ([]string, error) { return a.Change(ctx, change) })
}

func (c *Context) remarks(ask func(context.Context) ([]string, error)) {
	var notes []string
	err := c.outside(clusterPatience, func(ctx context.Context) (err error) {
		notes, err = ask(ctx)
		return err
	})
	if err != nil {
		c.failSettings(err)
		return
	}
	c.bulks(notes)
}

func larderClusterToken(c *Context, a ClusterAdmin) {
	words := c.Args[4:]
	switch {
	case equalFold(c.Args[3], "create"):
		c.createToken(a, words)
	case equalFold(c.Args[3], "list"):
		c.tell(words, func(ctx context.Context) (any, error) {
			list, err := a.Tokens(ctx)
			return orEmpty(list), err
		})
	case equalFold(c.Args[3], "revoke") && len(words) == 1:
		id := string(words[0])
		c.remarks(func(ctx context.Context) ([]string, error) { return nil, a.RevokeToken(ctx, id) })
	default:
		c.Error(errSyntax)
	}
}

// orEmpty makes a list that is null in JSON an empty one.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// createToken answers with the text of a new token, its id, and when it ends in
// milliseconds since 1970, 0 for never.
func (c *Context) createToken(a ClusterAdmin, words [][]byte) {
	var terms TokenTerms
	for ; len(words) >= 2; words = words[2:] {
		n, err := strconv.ParseInt(string(words[1]), 10, 32)
		switch {
		case equalFold(words[0], "note"):
			terms.Note = string(words[1])
		case equalFold(words[0], "ttl") && err == nil && (n > 0 || n == -1):
			terms.TTL = time.Duration(n) * time.Second
		case equalFold(words[0], "uses") && err == nil && n >= 0:
			terms.Uses = int(n)
		default:
			c.Error("ERR wrong value of '" + string(clip(words[0], shownWords)) + "'. Try LARDER HELP.")
			return
		}
	}
	if len(words) > 0 {
		c.Error(errSyntax)
		return
	}
	var text string
	var token JoinToken
	err := c.outside(clusterPatience, func(ctx context.Context) (err error) {
		text, token, err = a.CreateToken(ctx, terms)
		return err
	})
	if err != nil {
		c.failSettings(err)
		return
	}
	expires := int64(0)
	if !token.Expires.IsZero() {
		expires = token.Expires.UnixMilli()
	}
	c.Out.Array(3)
	c.Out.BulkString(text)
	c.Out.BulkString(token.ID)
	c.Out.Int(expires)
}

func larderClusterCoordinators(c *Context, a ClusterAdmin) {
	c.tell(c.Args[3:], func(ctx context.Context) (any, error) {
		list, err := a.Coordinators(ctx)
		return orEmpty(list), err
	})
}

func larderClusterCoordinator(c *Context, a ClusterAdmin) {
	if !equalFold(c.Args[3], "replace") {
		c.Error(errSyntax)
		return
	}
	former, next, author := string(c.Args[4]), "", c.operator()
	if len(c.Args) > 5 {
		next = string(c.Args[5])
	}
	c.remarks(func(ctx context.Context) ([]string, error) { return a.ReplaceCoordinator(ctx, former, next, author) })
}
