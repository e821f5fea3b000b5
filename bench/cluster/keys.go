package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/larder-cache/larder/internal/loadgen"
	"github.com/larder-cache/larder/internal/nodes"
)

// Keys of a node are chosen by hash tags: the load generator draws a tag, which
// is part of the command, and a number behind it.
const (
	tagsPerNode = 32
	keysPerTag  = 2000
	numberWidth = 8
	valueBytes  = 64
)

// tagsOf returns hash tags whose slots a node owns, as CLUSTER KEYSLOT and the
// owners of the moment say.
func tagsOf(ctx context.Context, n *nodes.Node) ([]string, error) {
	s, err := n.Status(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := nodes.Dial(ctx, n.RESP)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var tags []string
	for i := 0; len(tags) < tagsPerNode; i++ {
		tag := fmt.Sprintf("{t%d}", i)
		r, err := conn.Do("CLUSTER", "KEYSLOT", tag)
		if err != nil {
			return nil, err
		}
		if s.Owner[r.Int/nodes.SlotsPerPartition] == n.ID() {
			tags = append(tags, tag)
		}
	}
	return tags, nil
}

// spreadOver makes c draw from the tags' keys, with GETs or SETs alone.
func spreadOver(c loadgen.Config, tags []string, command string) loadgen.Config {
	c.Keys, c.KeyPrefix, c.KeyLength, c.Values = keysPerTag, "", numberWidth, loadgen.FixedSize(valueBytes)
	for _, tag := range tags {
		template := command + " " + tag + "__key__"
		if command == "SET" {
			template += " __data__"
		}
		c.Commands = append(c.Commands, loadgen.Command{Template: template, Weight: 1})
	}
	return c
}

// writeAll writes every key of the tags once.
func writeAll(ctx context.Context, address string, tags []string) error {
	conn, err := nodes.Dial(ctx, address)
	if err != nil {
		return err
	}
	defer conn.Close()
	value := strings.Repeat("x", valueBytes)
	for _, tag := range tags {
		for i := range keysPerTag {
			conn.Send("SET", fmt.Sprintf("%s%0*d", tag, numberWidth, i), value)
			if i%100 != 99 {
				continue
			}
			if err := conn.Flush(); err != nil {
				return err
			}
			for range 100 {
				r, err := conn.Receive()
				if err == nil {
					err = r.Err()
				}
				if err != nil {
					return fmt.Errorf("write keys: %w", err)
				}
			}
		}
	}
	return nil
}
