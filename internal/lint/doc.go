// Package lint has the rules of this tree that no tool knows, as tests: which
// package may import which, what packages are called, how long files get.
package lint
