//go:build !unix

package demo

import (
	"context"
	"errors"
)

// NewPostgres fails: starting a PostgreSQL of its own is for Unix.
func NewPostgres(context.Context, []rune, Progress) (Database, error) {
	return nil, errors.New("the demonstration starts a PostgreSQL on Unix systems only; use SQLite here")
}
