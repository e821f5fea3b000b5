// Package cluster tests clusters of real larder processes on this machine.
package cluster
