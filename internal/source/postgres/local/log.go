package local

import "sync"

// logBuffer keeps the end of what is written. It is safe for concurrent use.
type logBuffer struct {
	mu   sync.Mutex
	text []byte // guarded by mu
}

const maxLogBytes = 16 << 10

// Write implements io.Writer; it never fails.
func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	if extra := len(l.text) - maxLogBytes; extra > 0 {
		l.text = append(l.text[:0], l.text[extra:]...)
	}
	return len(p), nil
}

// String returns what is kept.
func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}
