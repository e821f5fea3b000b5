package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/command"
)

func TestRestartOrder(t *testing.T) {
	s := &command.ClusterStatus{Nodes: []command.ClusterNode{
		{Node: cluster.Node{ID: "1", Name: "a", Coordinator: true}, Controller: true},
		{Node: cluster.Node{ID: "2", Name: "d"}},
		{Node: cluster.Node{ID: "3", Name: "c", Coordinator: true}},
		{Node: cluster.Node{ID: "4", Name: "b"}},
		{Node: cluster.Node{ID: "5", Name: "e", Coordinator: true}, Aside: true},
	}}
	list := []cluster.NodeID{"1", "2", "3", "4", "5"}
	inOrder(s, list)
	if got := fmt.Sprint(list); got != "[5 4 2 3 1]" {
		t.Error(got)
	}
}

// TestRestartCommand: what stands for the node is one word for sh, whatever it is.
func TestRestartCommand(t *testing.T) {
	var out bytes.Buffer
	r := &rolling{command: "printf '%s.' {name} {host} {id}", out: &out}
	n := &command.ClusterNode{Node: cluster.Node{ID: "abc", Name: "it's; echo $HOME", Peer: "[::1]:7380"}}
	if err := r.end(t.Context(), n); err != nil || out.String() != "it's; echo $HOME.::1.abc." {
		t.Errorf("%q, %v", out.String(), err)
	}
	r.command = "echo no; exit 3"
	if err := r.end(t.Context(), n); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("a command that fails: %v", err)
	}
}
