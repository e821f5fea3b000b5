package command

import "testing"

func TestPublish(t *testing.T) {
	w := newWorld(t)
	two, three, other := w.connect("2"), w.connect("3"), w.connect("2")
	two.expect(
		step{"SUBSCRIBE a b a", "*3 $9 subscribe $1 a :1 *3 $9 subscribe $1 b :2 *3 $9 subscribe $1 a :2"},
		step{"PSUBSCRIBE a*", "*3 $10 psubscribe $2 a* :3"},
		step{"SSUBSCRIBE s", "*3 $10 ssubscribe $1 s :1"},
		step{"GET x", "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"},
		step{"PING", "*2 $4 pong $0 "},
		step{"PING x", "*2 $4 pong $1 x"},
	)
	three.expect(
		step{"SUBSCRIBE a", ">3 $9 subscribe $1 a :1"},
		step{"GET x", "_"},
		step{"PING", "+PONG"},
	)
	other.expect(
		step{"PUBLISH a hi", ":3"},
		step{"PUBLISH none hi", ":0"},
		step{"SPUBLISH s hi", ":1"},
		step{"PUBSUB CHANNELS", "*2 $1 a $1 b"},
		step{"PUBSUB CHANNELS b*", "*1 $1 b"},
		step{"PUBSUB NUMSUB a b c", "*6 $1 a :2 $1 b :1 $1 c :0"},
		step{"PUBSUB NUMPAT", ":1"},
		step{"PUBSUB SHARDCHANNELS", "*1 $1 s"},
		step{"PUBSUB SHARDNUMSUB s", "*2 $1 s :1"},
	)
	two.got("*3 $7 message $1 a $2 hi *4 $8 pmessage $2 a* $1 a $2 hi *3 $8 smessage $1 s $2 hi")
	three.got(">3 $7 message $1 a $2 hi")

	if got := two.s.Class(); got != ClassPubSub {
		t.Errorf("class %v", got)
	}
	two.expect(
		step{"UNSUBSCRIBE", "*3 $11 unsubscribe $1 a :2 *3 $11 unsubscribe $1 b :1"},
		step{"UNSUBSCRIBE", "*3 $11 unsubscribe $-1 :1"},
		step{"PUNSUBSCRIBE nosuch", "*3 $12 punsubscribe $6 nosuch :1"},
		step{"PUNSUBSCRIBE", "*3 $12 punsubscribe $2 a* :0"},
		step{"GET x", "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"},
		step{"SUNSUBSCRIBE", "*3 $12 sunsubscribe $1 s :0"},
		step{"GET x", "$-1"},
	)
	if got := two.s.Class(); got != ClassNormal {
		t.Errorf("class %v", got)
	}
	w.x.EndSession(three.s)
	other.expect(step{"PUBLISH a hi", ":0"}, step{"PUBSUB CHANNELS", "*0"})
	if got := w.x.pubsub.total.Load(); got != 0 {
		t.Errorf("%d subscriptions left", got)
	}
}

func TestKeyspaceEvents(t *testing.T) {
	w := newWorld(t)
	listener, c := w.connect("3"), w.connect("2")
	listener.do("PSUBSCRIBE __key*")
	c.do("SET a 1")
	listener.got("")
	c.expect(step{"CONFIG SET notify-keyspace-events KEA", "+OK"})
	c.do("SET a 1 EX 10")
	listener.got(">4 $8 pmessage $6 __key* $16 __keyspace@0__:a $3 set >4 $8 pmessage $6 __key* $18 __keyevent@0__:set $1 a " +
		">4 $8 pmessage $6 __key* $16 __keyspace@0__:a $6 expire >4 $8 pmessage $6 __key* $21 __keyevent@0__:expire $1 a")
	c.expect(step{"CONFIG SET notify-keyspace-events Ex", "+OK"})
	c.do("SELECT 3")
	c.do("SET b 1 PX 5")
	c.do("DEL a")
	listener.got("")
	w.now.Add(20_000)
	w.store.Tick(w.now.Load(), false)
	if got := listener.take(); got != ">4 $8 pmessage $6 __key* $22 __keyevent@3__:expired $1 b >4 $8 pmessage $6 __key* $22 __keyevent@0__:expired $1 a" &&
		got != ">4 $8 pmessage $6 __key* $22 __keyevent@0__:expired $1 a >4 $8 pmessage $6 __key* $22 __keyevent@3__:expired $1 b" {
		t.Errorf("pushed %q", got)
	}
	c.expect(step{"CONFIG SET notify-keyspace-events Em", "+OK"})
	c.do("GET b")
	listener.got(">4 $8 pmessage $6 __key* $22 __keyevent@3__:keymiss $1 b")
}

func TestNotifyClasses(t *testing.T) {
	for letters, want := range map[string]string{
		"": "", "KEA": "AKE", "Kg$lshzxetd": "AK", "Elg": "glE", "AKEmn": "AKEm", "nE": "nE", "m": "m",
	} {
		classes, ok := ParseNotifyClasses(letters)
		if !ok || classes.String() != want {
			t.Errorf("%q: %q, %v, want %q", letters, classes, ok, want)
		}
	}
	if _, ok := ParseNotifyClasses("KEq"); ok {
		t.Error("q is no class")
	}
}
