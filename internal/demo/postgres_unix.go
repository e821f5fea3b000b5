//go:build unix

package demo

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/larder-cache/larder/internal/source"
	"github.com/larder-cache/larder/internal/source/postgres/local"
)

// Postgres is the database as a PostgreSQL server of its own.
type Postgres struct {
	server *local.Server
	rows   int
}

// NewPostgres starts a PostgreSQL and stores the characters given in it. It
// blocks until all rows are stored; on an error nothing is left running. The
// error says how to install PostgreSQL when it is missing.
func NewPostgres(ctx context.Context, codes []rune, progress Progress) (Database, error) {
	server, err := local.Start(ctx, "")
	if err != nil {
		return nil, explain(err, "the temporary directory")
	}
	p := &Postgres{server: server, rows: len(codes)}
	if err := p.build(ctx, codes, progress); err != nil {
		return nil, errors.Join(explain(err, "the temporary directory"), p.Close())
	}
	return p, nil
}

func (p *Postgres) build(ctx context.Context, codes []rune, progress Progress) error {
	conn, err := pgx.Connect(ctx, p.server.DSN())
	if err != nil {
		return fmt.Errorf("connect to the new server: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, table); err != nil {
		return fmt.Errorf("create the table: %w", err)
	}
	d := newDescriber(len(codes))
	rows := pgx.CopyFromSlice(len(codes), func(i int) ([]any, error) {
		if i%perInsert == 0 {
			progress(i, len(codes))
		}
		c := d.describe(codes[i])
		return c.Cells(), nil
	})
	if _, err := conn.CopyFrom(ctx, pgx.Identifier{"characters"}, Columns, rows); err != nil {
		return fmt.Errorf("store the rows: %w", err)
	}
	progress(len(codes), len(codes))
	_, err = conn.Exec(ctx, "ANALYZE characters")
	return err
}

// Source implements [Database].
func (p *Postgres) Source() source.Config {
	return source.Config{Kind: source.KindPostgres, DSN: p.server.DSN()}
}

// Rows implements [Database].
func (p *Postgres) Rows() int { return p.rows }

// Where implements [Database].
func (p *Postgres) Where() string { return "PostgreSQL, " + p.server.DSN() }

// Hang locks the table, as a migration does: who reads waits for it.
func (p *Postgres) Hang(ctx context.Context) (resume func() error, err error) {
	conn, err := pgx.Connect(ctx, p.server.DSN())
	if err != nil {
		return nil, fmt.Errorf("lock the table: %w", err)
	}
	tx, err := conn.Begin(ctx)
	if err == nil {
		_, err = tx.Exec(ctx, "LOCK TABLE characters IN ACCESS EXCLUSIVE MODE")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock the table: %w", err), conn.Close(context.WithoutCancel(ctx)))
	}
	return func() error {
		// Not ctx: a lock is given back at the end, too.
		return errors.Join(tx.Rollback(context.Background()), conn.Close(context.Background()))
	}, nil
}

// Close implements [Database].
func (p *Postgres) Close() error { return p.server.Stop() }
