//go:build !linux && !darwin

package config

func physicalMemory() uint64 { return 0 }
