package main

import (
	"context"
	"fmt"

	"github.com/larder-cache/larder/internal/nodes"
)

// forwarding compares GETs at the owner of their keys with GETs through another
// node, by the processor time of both nodes together.
func (b *bench) forwarding(ctx context.Context) (err error) {
	c, end, err := b.begin(ctx, b.nodes, nodes.Options{})
	if err != nil {
		return err
	}
	defer end(&err)
	owner, wrong := c.Nodes()[0], c.Nodes()[1]
	tags, err := tagsOf(ctx, owner)
	if err != nil {
		return err
	}
	if err := writeAll(ctx, owner.RESP, tags); err != nil {
		return err
	}
	for round := range b.rounds {
		for _, pipeline := range []int{1, 16} {
			if err := b.forwardingRound(ctx, round, pipeline, tags, owner, wrong); err != nil {
				return err
			}
		}
		load := spreadOver(b.load(wrong.RESP, round), tags, "GET")
		load.Rate, load.Duration = 5000, pick(b, 2*b.length, b.length)
		m, err := b.run(ctx, load, owner, wrong)
		if err != nil {
			return err
		}
		name := "5000/s"
		b.rep.add("forwarding", name, metric{"p50 through the wrong node", "us"}, m.latency.P50)
		b.rep.add("forwarding", name, metric{"p99 through the wrong node", "us"}, m.latency.P99)
		b.rep.add("forwarding", name, metric{"p99.9 through the wrong node", "us"}, m.latency.P999)
		b.say("5000/s through the wrong node: p50 %.0f us, p99 %.0f us", m.latency.P50, m.latency.P99)
	}
	return nil
}

// forwardingRound measures both ways once; who goes first turns.
func (b *bench) forwardingRound(ctx context.Context, round, pipeline int, tags []string, owner, wrong *nodes.Node) error {
	var at, through cost
	order := []struct {
		to   *nodes.Node
		into *cost
	}{{owner, &at}, {wrong, &through}}
	if round%2 == 1 {
		order[0], order[1] = order[1], order[0]
	}
	for _, o := range order {
		load := spreadOver(b.load(o.to.RESP, round), tags, "GET")
		load.Pipeline = pipeline
		m, err := b.run(ctx, load, owner, wrong)
		if err != nil {
			return err
		}
		*o.into = m
	}
	name := fmt.Sprintf("pipeline %d", pipeline)
	add := func(m metric, v float64) { b.rep.add("forwarding", name, m, v) }
	add(metric{"CPU at the owner", "us/GET"}, at.cpu)
	add(metric{"CPU through the wrong node", "us/GET"}, through.cpu)
	add(metric{"CPU, wrong node / owner", ""}, through.cpu/at.cpu)
	add(metric{"GET/s at the owner", ""}, at.perSecond)
	add(metric{"GET/s through the wrong node", ""}, through.perSecond)
	b.say("pipeline %2d: %.2f us at the owner, %.2f us through the wrong node: %.2f", pipeline, at.cpu, through.cpu, through.cpu/at.cpu)
	return nil
}
