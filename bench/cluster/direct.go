package main

import (
	"context"
	"fmt"

	"github.com/larder-cache/larder/internal/nodes"
)

// direct compares a node of a cluster, on its own keys, with a node that is in
// none, with the same keys.
func (b *bench) direct(ctx context.Context) (err error) {
	c, end, err := b.begin(ctx, b.nodes, nodes.Options{})
	if err != nil {
		return err
	}
	defer end(&err)
	single, err := nodes.Begin(nodes.Options{Binary: b.binary, Parent: b.dir})
	if err != nil {
		return err
	}
	defer single.Close() // below a directory that is removed at the end
	alone, err := single.AddAlone(ctx)
	if err != nil {
		return err
	}
	member := c.Nodes()[0]
	tags, err := tagsOf(ctx, member)
	if err != nil {
		return err
	}
	for _, n := range []*nodes.Node{alone, member} {
		if err := writeAll(ctx, n.RESP, tags); err != nil {
			return err
		}
	}
	for round := range b.rounds {
		for _, command := range []string{"GET", "SET"} {
			for _, pipeline := range []int{1, 16, 64} {
				if err := b.directRound(ctx, round, pipeline, command, tags, alone, member); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// directRound measures both once; who goes first turns.
func (b *bench) directRound(ctx context.Context, round, pipeline int, command string, tags []string, alone, member *nodes.Node) error {
	var costs [2]cost
	for i := range costs {
		at := (i + round) % 2
		n := [...]*nodes.Node{alone, member}[at]
		load := spreadOver(b.load(n.RESP, round), tags, command)
		load.Pipeline = pipeline
		m, err := b.run(ctx, load, n)
		if err != nil {
			return err
		}
		costs[at] = m
	}
	name := fmt.Sprintf("%s, pipeline %d", command, pipeline)
	add := func(m metric, v float64) { b.rep.add("direct", name, m, v) }
	add(metric{"CPU alone", "us"}, costs[0].cpu)
	add(metric{"CPU as a member", "us"}, costs[1].cpu)
	add(metric{"CPU, member / alone", ""}, costs[1].cpu/costs[0].cpu)
	add(metric{"requests/s alone", ""}, costs[0].perSecond)
	add(metric{"requests/s as a member", ""}, costs[1].perSecond)
	add(metric{"time per request, member / alone", ""}, costs[0].perSecond/costs[1].perSecond)
	b.say("%-16s %.2f us alone, %.2f us as a member; %.0f/s, %.0f/s", name, costs[0].cpu, costs[1].cpu, costs[0].perSecond, costs[1].perSecond)
	return nil
}
