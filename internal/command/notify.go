package command

import (
	"strconv"
	"strings"
	"sync/atomic"
)

// NotifyClass is a set of classes of keyspace events.
type NotifyClass uint32

// The classes, with the letters of notify-keyspace-events.
const (
	NotifyKeyspace  NotifyClass = 1 << iota // K: publish to __keyspace@<db>__:<key>
	NotifyKeyevent                          // E: publish to __keyevent@<db>__:<event>
	NotifyGeneric                           // g
	NotifyString                            // $
	NotifyList                              // l
	NotifySet                               // s
	NotifyHash                              // h
	NotifySortedSet                         // z
	NotifyExpired                           // x
	NotifyEvicted                           // e
	NotifyStream                            // t
	NotifyKeyMiss                           // m: not part of A
	NotifyModule                            // d
	NotifyNew                               // n: not part of A

	// NotifyAll is the letter A.
	NotifyAll = NotifyGeneric | NotifyString | NotifyList | NotifySet | NotifyHash |
		NotifySortedSet | NotifyExpired | NotifyEvicted | NotifyStream | NotifyModule
)

var notifyLetters = []struct {
	letter byte
	class  NotifyClass
}{
	{'g', NotifyGeneric}, {'$', NotifyString}, {'l', NotifyList}, {'s', NotifySet},
	{'h', NotifyHash}, {'z', NotifySortedSet}, {'x', NotifyExpired}, {'e', NotifyEvicted},
	{'t', NotifyStream}, {'d', NotifyModule}, {'n', NotifyNew},
	{'K', NotifyKeyspace}, {'E', NotifyKeyevent}, {'m', NotifyKeyMiss},
}

// ParseNotifyClasses reads the letters of notify-keyspace-events; ok is false
// for a letter without meaning.
func ParseNotifyClasses(letters string) (classes NotifyClass, ok bool) {
next:
	for i := range len(letters) {
		if letters[i] == 'A' {
			classes |= NotifyAll
			continue
		}
		for _, l := range notifyLetters {
			if l.letter == letters[i] {
				classes |= l.class
				continue next
			}
		}
		return 0, false
	}
	return classes, true
}

// String returns the letters, in the order and with the abbreviation that
// CONFIG GET shows.
func (n NotifyClass) String() string {
	var b strings.Builder
	if n&NotifyAll == NotifyAll {
		b.WriteByte('A')
		n &^= NotifyAll | NotifyNew
	}
	for _, l := range notifyLetters {
		if n&l.class != 0 {
			b.WriteByte(l.letter)
		}
	}
	return b.String()
}

// notifier publishes keyspace events.
type notifier struct {
	classes atomic.Uint32 // NotifyClass
}

func (n *notifier) wants(class NotifyClass) bool {
	on := NotifyClass(n.classes.Load())
	return on&class != 0 && on&(NotifyKeyspace|NotifyKeyevent) != 0
}

// Notify publishes a keyspace event if notify-keyspace-events asks for its
// class. It may be called with a key locked: it blocks for nothing but the lock
// of the subscriptions, behind which the engine is never called.
func (c *Context) Notify(class NotifyClass, event string, db int, key []byte) {
	if c.Exec.notifier.classes.Load() == 0 {
		return
	}
	c.Exec.notify(class, event, db, key)
}

func (x *Executor) notify(class NotifyClass, event string, db int, key []byte) {
	if !x.notifier.wants(class) || x.pubsub.total.Load() == 0 && !x.neighbours.listens.Load() {
		return
	}
	on := NotifyClass(x.notifier.classes.Load())
	number := strconv.Itoa(db)
	if on&NotifyKeyspace != 0 {
		channel := append([]byte("__keyspace@"+number+"__:"), key...)
		x.pubsub.publish(channel, []byte(event))
		x.neighbours.event(channel, []byte(event))
	}
	if on&NotifyKeyevent != 0 {
		channel := []byte("__keyevent@" + number + "__:" + event)
		x.pubsub.publish(channel, key)
		x.neighbours.event(channel, key)
	}
}
