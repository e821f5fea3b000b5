package command

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/larder-cache/larder/internal/cluster"
	"github.com/larder-cache/larder/internal/hashing"
)

// Frames between nodes are read as they were written.
func TestFramesOfNodes(t *testing.T) {
	q := sweep{op: sweepList, db: 3, pattern: []byte("a*"), items: []sweepItem{{0, 0, 0}, {1023, 1<<32 - 1, 77}}}
	if got, err := parseSweep(q.append(nil), 16); err != nil || !reflect.DeepEqual(got, q) {
		t.Errorf("sweep: %+v, %v; want %+v", got, err, q)
	}
	all := sweep{op: sweepFlush, db: everyDB, pattern: []byte{}, items: []sweepItem{{partition: 5}}}
	if got, err := parseSweep(all.append(nil), 16); err != nil || !reflect.DeepEqual(got, all) {
		t.Errorf("sweep of all databases: %+v, %v", got, err)
	}
	done := swept{reports: []sweepReport{{1, sweepLater, 9, 0}, {2, sweepDone, 0, 1 << 40}}, n: 1}
	done.keys.Bulk([]byte("key"))
	got, err := parseSwept(append(done.append(nil), done.keys.Buf...))
	if err != nil || !reflect.DeepEqual(got.reports, done.reports) || got.n != 1 || !bytes.Equal(got.keys.Buf, done.keys.Buf) {
		t.Errorf("swept: %+v, %v", got, err)
	}
	id := cluster.NewNodeID()
	i := &interest{boot: 1 << 60, version: 7, patterns: true}
	for slot := uint16(0); slot < hashing.Slots; slot += 331 {
		i.channels.add(slot)
	}
	i.shards.add(hashing.Slots - 1)
	from, read, err := parseInterest(i.append(nil, id))
	if err != nil || from != id || *read != *i {
		t.Errorf("interest of %s: %v, %v", from, read != nil, err)
	}
	kind, channel, message, err := parsePublish(appendPublish(nil, toShard, []byte("channel"), []byte("message")))
	if err != nil || kind != toShard || string(channel) != "channel" || string(message) != "message" {
		t.Errorf("publish: %v %q %q, %v", kind, channel, message, err)
	}
	a, sum := audience{"a": 1, "b": 300}, audience{"b": 1}
	if err := sum.add(a.append(nil)); err != nil || !reflect.DeepEqual(sum, audience{"a": 1, "b": 301}) {
		t.Errorf("audience: %v, %v", sum, err)
	}
}

// No frame of another node makes this one panic, or take more memory than it is
// long.
func FuzzFramesOfNodes(f *testing.F) {
	q := sweep{op: sweepList, db: everyDB, pattern: []byte("*"), items: []sweepItem{{1, 2, 3}}}
	i := &interest{version: 1}
	i.channels.add(5)
	f.Add(q.append(nil))
	f.Add(i.append(nil, "id"))
	f.Add(appendPublish(nil, toChannel, []byte("c"), []byte("m")))
	f.Add(audience{"a": 1}.append(nil))
	f.Fuzz(func(t *testing.T, frame []byte) {
		if q, err := parseSweep(frame, 16); err == nil {
			for _, it := range q.items {
				if it.partition < 0 || it.partition >= cluster.Partitions {
					t.Errorf("partition %d", it.partition)
				}
			}
			if q.db < everyDB || q.db > 15 {
				t.Errorf("database %d", q.db)
			}
		}
		if r, err := parseSwept(frame); err == nil {
			for _, p := range r.reports {
				if p.partition < 0 || p.partition >= cluster.Partitions {
					t.Errorf("partition %d", p.partition)
				}
			}
		}
		parseInterest(frame)
		parsePublish(frame)
		audience{}.add(frame)
	})
}

// What nobody wants any more is lowered once, and raised anew with a new version.
func TestWants(t *testing.T) {
	var w wants
	w.init()
	news := want{kind: wantChannel, slot: 5}
	first := w.add(news)
	if again := w.add(news); again != first {
		t.Errorf("a second subscriber raises the version from %d to %d", first, again)
	}
	if w.drop(news) {
		t.Error("one of two has gone, and it is to be lowered")
	}
	if !w.drop(news) {
		t.Error("both have gone, and it is not to be lowered")
	}
	if !w.now(1).channels.has(5) {
		t.Error("it is lowered at once")
	}
	if w.add(news) != first {
		t.Error("who comes back in time raises the version")
	}
	w.drop(news)
	if !w.lower() || w.lower() || w.now(1).channels.has(5) {
		t.Error("it is not lowered once")
	}
	if again := w.add(news); again <= first {
		t.Errorf("raised anew with version %d, after %d", again, first)
	}
}
