package etcd

import (
	"context"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// journal receives what etcd logs: warnings are counted, everything goes to log
// at debug level, since etcd calls many an ordinary thing a warning. It also
// stands between etcd and the process: where etcd would exit or panic, only the
// goroutine that met the fault ends, and the journal says so on failed.
//
// Safe for concurrent use.
type journal struct {
	log      *slog.Logger // nil: nowhere
	warnings atomic.Uint64

	once   sync.Once
	failed chan struct{} // closed at the first fatal line
	fatal  string        // that line; read after failed is closed
}

func newJournal(log *slog.Logger) *journal {
	return &journal{log: log, failed: make(chan struct{})}
}

// logger is the journal as what etcd wants.
func (j *journal) logger() *zap.Logger {
	return zap.New(&journalCore{journal: j}, zap.WithFatalHook(j), zap.WithPanicHook(j))
}

// OnWrite is what follows a fatal line: the member has failed, the goroutine ends.
// Exiting, which is etcd's way, would take the cached data with it.
func (j *journal) OnWrite(entry *zapcore.CheckedEntry, fields []zapcore.Field) {
	j.once.Do(func() {
		j.fatal = entry.Message
		if cause, ok := fieldsOf(fields)["error"].(string); ok {
			j.fatal += ": " + cause
		}
		close(j.failed)
	})
	runtime.Goexit()
}

// journalCore is one logger's place in a journal, with the fields bound to it.
type journalCore struct {
	journal *journal
	bound   []zapcore.Field
}

// Enabled says whether a line of this level is looked at.
func (c *journalCore) Enabled(level zapcore.Level) bool {
	return level >= zapcore.WarnLevel ||
		c.journal.log != nil && c.journal.log.Enabled(context.Background(), slog.LevelDebug)
}

// With is the core with fields bound to it.
func (c *journalCore) With(fields []zapcore.Field) zapcore.Core {
	return &journalCore{journal: c.journal, bound: append(c.bound[:len(c.bound):len(c.bound)], fields...)}
}

// Check adds the core to the ones that write entry.
func (c *journalCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(entry.Level) {
		return checked.AddCore(entry, c)
	}
	return checked
}

// Write counts the line and hands it on.
func (c *journalCore) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	if entry.Level >= zapcore.WarnLevel {
		c.journal.warnings.Add(1)
	}
	log := c.journal.log
	if log == nil || !log.Enabled(context.Background(), slog.LevelDebug) {
		return nil
	}
	attrs := []any{slog.String("level", entry.Level.String())}
	for name, value := range fieldsOf(append(c.bound[:len(c.bound):len(c.bound)], fields...)) {
		attrs = append(attrs, slog.Any(name, value))
	}
	log.Debug("etcd: "+entry.Message, attrs...)
	return nil
}

// Sync has nothing to do.
func (c *journalCore) Sync() error { return nil }

func fieldsOf(fields []zapcore.Field) map[string]any {
	values := zapcore.NewMapObjectEncoder()
	for _, f := range fields {
		f.AddTo(values)
	}
	return values.Fields
}
