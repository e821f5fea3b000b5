package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/larder-cache/larder/internal/nodes"
)

// What the suite copies asks for, beside sizes that all suites share.
const (
	copiesPipeline = 16
	copiesClients  = 50
	pipelinesMade  = 64 // different ones of each client
	lagRate        = 50_000
	lagEvery       = 20 * time.Millisecond
)

// copies measures what it costs that another node has every write before it is
// acknowledged, beside Redis with one replica when it is installed.
func (b *bench) copies(ctx context.Context) (err error) {
	c, end, err := b.begin(ctx, b.nodes, nodes.Options{Replicas: 1})
	if err != nil {
		return err
	}
	defer end(&err)
	if err := c.Await(ctx, nodes.Copied(1)); err != nil {
		return err
	}
	owner := c.Nodes()[0]
	tags, err := tagsOf(ctx, owner)
	if err != nil {
		return err
	}
	redis, stop, err := b.redisWithReplica(ctx)
	if err != nil {
		return err
	}
	defer stop()
	for round := range b.rounds {
		if err := b.copiesRound(ctx, round, tags, owner, redis); err != nil {
			return err
		}
		for _, ack := range []string{"replicas", "none"} {
			if err := acknowledge(ctx, owner, ack); err != nil {
				return err
			}
			if err := b.copiesPaced(ctx, round, ack, tags, owner); err != nil {
				return err
			}
		}
	}
	return nil
}

// acknowledge sets what replies wait for.
func acknowledge(ctx context.Context, n *nodes.Node, ack string) error {
	_, err := n.Do(ctx, "LARDER", "CONFIG", "SET", "replication.ack", ack)
	return err
}

// ratios compare Redis with larder, by what replies wait for.
var ratios = map[string]metric{
	"replicas": metric{"SET/s, redis with WAIT 1 / larder", ""},
	"none":     metric{"SET/s, redis / larder with ack: none", ""},
}

// copiesRound measures how many SETs a second are answered, by larder with and
// without an acknowledgement, and by Redis with WAIT 1 behind each pipeline and
// without; who goes first turns.
func (b *bench) copiesRound(ctx context.Context, round int, tags []string, owner *nodes.Node, redis string) error {
	rates := map[string]float64{}
	for _, ack := range []string{"replicas", "none"} {
		if err := acknowledge(ctx, owner, ack); err != nil {
			return err
		}
		order := []struct {
			who, address string
			wait         bool
		}{{"larder", owner.RESP, false}, {"redis", redis, ack == "replicas"}}
		if round%2 == 1 {
			order[0], order[1] = order[1], order[0]
		}
		for _, o := range order {
			if o.address == "" {
				continue
			}
			rate, err := pipelinedSets(ctx, o.address, tags, b.length, o.wait)
			if err != nil {
				return fmt.Errorf("%s, ack: %s: %w", o.who, ack, err)
			}
			rates[o.who] = rate
			b.rep.add("copies", "ack: "+ack, metric{"SET/s by " + o.who, ""}, rate)
		}
		if redis != "" {
			b.rep.add("copies", "ack: "+ack, ratios[ack], rates["redis"]/rates["larder"])
		}
		b.say("ack: %-8s %.0f SET/s by larder, %.0f by redis", ack, rates["larder"], rates["redis"])
	}
	return nil
}

// copiesPaced measures the latency of SET at a modest rate, and how far copies are
// behind at a high one.
func (b *bench) copiesPaced(ctx context.Context, round int, ack string, tags []string, owner *nodes.Node) error {
	load := spreadOver(b.load(owner.RESP, round), tags, "SET")
	load.Rate, load.Duration = 5000, pick(b, 2*b.length, b.length)
	m, err := b.run(ctx, load, owner)
	if err != nil {
		return err
	}
	b.rep.add("copies", "ack: "+ack+", 5000/s", metric{"p50 of SET", "us"}, m.latency.P50)
	b.rep.add("copies", "ack: "+ack+", 5000/s", metric{"p99 of SET", "us"}, m.latency.P99)
	ctxLag, cancel := context.WithCancel(ctx)
	highest := make(chan time.Duration, 1)
	go func() { highest <- watchLag(ctxLag, owner) }()
	load.Rate, load.Pipeline = lagRate, copiesPipeline
	_, err = b.run(ctx, load, owner)
	cancel()
	lag := <-highest
	if err != nil {
		return err
	}
	b.rep.add("copies", fmt.Sprintf("ack: %s, %d/s", ack, lagRate), metric{"highest lag of a copy", "ms"}, float64(lag.Microseconds())/1000)
	b.say("ack: %-8s p99 %.0f us at 5000/s; lag at most %v at %d/s", ack, m.latency.P99, lag, lagRate)
	return nil
}

// pipelinedSets writes in pipelines for a while and returns the writes answered a
// second. With wait a WAIT 1 stands behind each pipeline, and has to be answered
// with a replica. The pipelines are made beforehand and their replies compared as
// they are: servers share the machine with this client.
func pipelinedSets(ctx context.Context, address string, tags []string, length time.Duration, wait bool) (float64, error) {
	want := bytes.Repeat([]byte("+OK\r\n"), copiesPipeline)
	if wait {
		want = append(want, ":1\r\n"...)
	}
	var done atomic.Int64
	var group sync.WaitGroup
	errs := make(chan error, copiesClients)
	ready := make(chan struct{})
	for id := range copiesClients {
		r := rand.New(rand.NewPCG(uint64(id), 0))
		group.Go(func() {
			c, err := net.Dial("tcp", address)
			if err != nil {
				errs <- err
				return
			}
			defer c.Close()
			var pipelines [pipelinesMade][]byte
			for i := range pipelines {
				pipelines[i] = pipelineOfSets(r, tags, wait)
			}
			got := make([]byte, len(want))
			<-ready
			for i, began := 0, time.Now(); time.Since(began) < length && ctx.Err() == nil; i++ {
				if err := exchange(c, pipelines[i%pipelinesMade], got, want); err != nil {
					errs <- err
					return
				}
				done.Add(copiesPipeline)
			}
		})
	}
	began := time.Now()
	close(ready)
	group.Wait()
	select {
	case err := <-errs:
		return 0, err
	default:
		return float64(done.Load()) / time.Since(began).Seconds(), ctx.Err()
	}
}

// pipelineOfSets returns the requests of one pipeline.
func pipelineOfSets(r *rand.Rand, tags []string, wait bool) []byte {
	var b bytes.Buffer
	value := make([]byte, valueBytes)
	for range copiesPipeline {
		key := tags[r.IntN(len(tags))] + strconv.Itoa(r.IntN(keysPerTag))
		fmt.Fprintf(&b, "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", len(key), key, len(value), value)
	}
	if wait {
		b.WriteString("*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$4\r\n1000\r\n")
	}
	return b.Bytes()
}

// exchange sends a pipeline and takes its replies, which have to be those wanted.
func exchange(c net.Conn, pipeline, got, want []byte) error {
	if _, err := c.Write(pipeline); err != nil {
		return err
	}
	if n, err := io.ReadFull(c, got); err != nil {
		return fmt.Errorf("replies: %w after %q", err, got[:n])
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("replies to SETs: %q", got)
	}
	return nil
}

// watchLag returns the highest lag that a node tells of until ctx ends.
func watchLag(ctx context.Context, n *nodes.Node) (highest time.Duration) {
	tick := time.NewTicker(lagEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return highest
		case <-tick.C:
		}
		m, _ := metricsOf(ctx, n) // when they cannot be had the next ones count
		for name, seconds := range m {
			if strings.HasPrefix(name, "larder_replication_lag_seconds{") {
				highest = max(highest, time.Duration(seconds*float64(time.Second)))
			}
		}
	}
}

// redisWithReplica starts Redis with one replica and returns the address of the
// first; empty when it is not installed.
func (b *bench) redisWithReplica(ctx context.Context) (address string, stop func(), err error) {
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		b.rep.note("redis-server is not installed: there is nothing to compare copies with.")
		return "", func() {}, nil
	}
	var started []*exec.Cmd
	stop = func() {
		for _, cmd := range started {
			_ = cmd.Process.Kill() // it may have ended
			_ = cmd.Wait()
		}
	}
	var ports []string
	for i := range 2 {
		port, err := freePort()
		if err != nil {
			stop()
			return "", nil, err
		}
		ports = append(ports, port)
		args := []string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--loglevel", "warning", "--dir", b.dir}
		if i == 1 {
			args = append(args, "--replicaof", "127.0.0.1 "+ports[0])
		}
		cmd := exec.CommandContext(ctx, binary, args...)
		if err := cmd.Start(); err != nil {
			stop()
			return "", nil, err
		}
		started = append(started, cmd)
	}
	address = "127.0.0.1:" + ports[0]
	if err := replicates(ctx, address); err != nil {
		stop()
		return "", nil, fmt.Errorf("redis with a replica: %w", err)
	}
	return address, stop, nil
}

// replicates waits until a server has a replica that acknowledges.
func replicates(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, formWithin)
	defer cancel()
	for {
		_, err := pipelinedSets(ctx, address, []string{"k"}, time.Millisecond, true)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

// freePort returns a port that nobody listens on at this moment.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}
