package demo

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	_ "modernc.org/sqlite" // the driver's name is sqlite

	"github.com/larder-cache/larder/internal/source"
)

// SQLite is the database as a file in a temporary directory.
type SQLite struct {
	dir  string
	db   *sql.DB
	rows int
}

// NewSQLite makes a SQLite file of the characters given. It blocks until all
// rows are stored; on an error no file is left.
func NewSQLite(ctx context.Context, codes []rune, progress Progress) (*SQLite, error) {
	return newSQLite(ctx, codes, progress, 0)
}

// newSQLite is NewSQLite with a limit for the file, in pages of 4 KiB; 0 is none.
func newSQLite(ctx context.Context, codes []rune, progress Progress, maxPages int) (*SQLite, error) {
	dir, err := os.MkdirTemp("", "larder-demo-")
	if err != nil {
		return nil, explain(err, os.TempDir())
	}
	s := &SQLite{dir: dir, rows: len(codes)}
	if err := s.build(ctx, codes, progress, maxPages); err != nil {
		return nil, errors.Join(explain(err, dir), s.Close())
	}
	return s, nil
}

func (s *SQLite) path() string { return filepath.Join(s.dir, "characters.db") }

// perInsert is the number of rows in one statement: the cost of a call is
// shared, and the statement stays far below SQLite's limit of parameters.
const perInsert = 100

func (s *SQLite) build(ctx context.Context, codes []rune, progress Progress, maxPages int) error {
	// Nobody needs the file after a crash; but a reader must see a lock (see
	// Hang), which the write-ahead log would let it pass.
	settings := url.Values{"_pragma": {"journal_mode(MEMORY)", "synchronous(OFF)", "temp_store(MEMORY)", "busy_timeout(5000)"}}
	if maxPages > 0 {
		settings.Add("_pragma", fmt.Sprintf("max_page_count(%d)", maxPages))
	}
	var err error
	s.db, err = sql.Open("sqlite", (&url.URL{Scheme: "file", Path: s.path(), RawQuery: settings.Encode()}).String())
	if err != nil {
		return err
	}
	s.db.SetMaxOpenConns(1)
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin to write %q: %w", s.path(), err)
	}
	defer tx.Rollback() // does nothing after the commit
	if _, err := tx.ExecContext(ctx, table+" WITHOUT ROWID"); err != nil {
		return fmt.Errorf("create the table: %w", err)
	}
	// In the order of the primary key the tree only grows at its end.
	codes = slices.Clone(codes)
	slices.SortFunc(codes, byCode)
	if err := insert(ctx, tx, codes, progress); err != nil {
		return fmt.Errorf("store the rows: %w", err)
	}
	return tx.Commit()
}

// byCode orders code points as their notation: U+10000 comes before U+1001.
func byCode(a, b rune) int {
	align := func(r rune) rune { // to six digits, from the left
		switch {
		case r < 0x10000:
			return r << 8
		case r < 0x100000:
			return r << 4
		}
		return r
	}
	return cmp.Or(cmp.Compare(align(a), align(b)), cmp.Compare(a, b))
}

func insert(ctx context.Context, tx *sql.Tx, codes []rune, progress Progress) error {
	row := "(" + strings.TrimSuffix(strings.Repeat("?,", len(Columns)), ",") + ")"
	statement := func(rows int) string {
		return "INSERT INTO characters VALUES " + strings.TrimSuffix(strings.Repeat(row+",", rows), ",")
	}
	prepared, err := tx.PrepareContext(ctx, statement(perInsert))
	if err != nil {
		return err
	}
	defer prepared.Close()
	done := 0
	cells := make([]any, 0, perInsert*len(Columns))
	err = Characters(codes, func(c *Character) error {
		if cells = append(cells, c.Cells()...); len(cells) < cap(cells) {
			return nil
		}
		_, err := prepared.ExecContext(ctx, cells...)
		cells = cells[:0]
		done += perInsert
		progress(done, len(codes))
		return err
	})
	if err != nil || len(cells) == 0 {
		return err
	}
	_, err = tx.ExecContext(ctx, statement(len(cells)/len(Columns)), cells...)
	progress(len(codes), len(codes))
	return err
}

// Source implements [Database].
func (s *SQLite) Source() source.Config {
	return source.Config{Kind: source.KindSQLite, DSN: s.path()}
}

// Rows implements [Database].
func (s *SQLite) Rows() int { return s.rows }

// Where implements [Database].
func (s *SQLite) Where() string { return "SQLite file " + s.path() }

// Hang takes the file's exclusive lock, as a writer that forgets to commit
// does: who reads waits for it.
func (s *SQLite) Hang(ctx context.Context) (resume func() error, err error) {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("lock the database: %w", err)
	}
	if _, err := conn.ExecContext(ctx, "BEGIN EXCLUSIVE"); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the database: %w", err), conn.Close())
	}
	return func() error {
		// Not ctx: a lock is given back at the end, too.
		_, err := conn.ExecContext(context.Background(), "ROLLBACK")
		return errors.Join(err, conn.Close())
	}, nil
}

// Close implements [Database].
func (s *SQLite) Close() error {
	var err error
	if s.db != nil {
		err = s.db.Close()
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}
