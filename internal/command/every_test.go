package command

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// everyWord are the words random requests are made of.
var everyWord = []string{
	"a", "b", "key:1", "", "0", "1", "-1", "2", "10", "100", "x", "*", "GET", "SET", "EX", "PX", "NX", "XX", "COUNT", "MATCH", "LIMIT",
	"on", "off", "yes", "no", "all", "write", "ID", "TYPE", "normal", "pubsub", "maxmemory", "timeout", "100mb", "BCAST", "PREFIX", "OPTIN",
	"OPTOUT", "NOLOOP", "REDIRECT", "default", "default", "keyspace", "string", "FILTERBY", "PATTERN", "ACLCAT", "SAMPLES", "RESET", "LEN",
	"AND", "BIT", "BYTE", "u8", "i64", "OVERFLOW", "INCRBY", "\x00\xff", "99999999999999999999", "9223372036854775807", "-9223372036854775808", "1.5", "nan", "inf",
	"STORE", "BY", "DESC", "ALPHA", "ASYNC", "SYNC", "REPLACE", "DB", "FREQ", "IDLETIME", "ABSTTL", "GT", "LT", "PERSIST", "KEEPTTL", "WITHMATCHLEN", "IDX",
	"protocol", "digest", "digest-value", "object", "error", "ERR x", "nosuch", "lib-name", "command", "SKIPME", "ADDR", "USER",
}

// notAtRandom are commands that would block the test, or silence it.
var notAtRandom = map[string]bool{"wait": true, "waitaof": true, "client|pause": true, "client|reply": true}

// Whatever the arguments, a request is answered by exactly one well-formed
// reply, subscriptions by messages, in both protocols.
func TestEveryCommandAnswersOnce(t *testing.T) {
	for seed := range uint64(4) {
		for _, version := range []string{"2", "3"} {
			t.Run(fmt.Sprint("seed ", seed, " RESP", version), func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 7))
				w := newWorld(t)
				c, other := w.connect(version), w.connect("2")
				for range 6000 {
					cmds := w.x.Table().All()
					cmd := cmds[random.IntN(len(cmds))]
					if notAtRandom[cmd.full] {
						continue
					}
					request := strings.Split(cmd.full, "|")
					for range random.IntN(6) {
						request = append(request, everyWord[random.IntN(len(everyWord))])
					}
					if len(request) > 1 && cmd.full == "debug" && (request[1] == "sleep" || request[1] == "populate") {
						continue
					}
					reply, outcome := c.request(request...)
					if version == "3" && c.s.Out.Version != 3 || version == "2" && c.s.Out.Version != 2 {
						c.do("HELLO " + version)
					}
					if outcome == Close && cmd.full != "shutdown" || cmd.full == "monitor" {
						c.do("RESET")
						c.do("HELLO " + version)
					}
					checkReply(t, cmd, request, reply)
					other.do("SET key:1 1")
					c.take()
				}
				if err := w.store.Check(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func checkReply(t *testing.T, cmd *Command, request []string, reply string) {
	t.Helper()
	defer func() {
		if r := recover(); r != nil {
			t.Errorf("%q: malformed reply %.100q: %v", request, reply, r)
		}
	}()
	_, rest := decode(t, reply)
	for cmd.pushes && rest != "" {
		_, rest = decode(t, rest)
	}
	if rest != "" && reply[0] != '|' && !(reply[0] == '>' && cmd.full == "debug") {
		t.Errorf("%q: more than one reply: %.200q", request, reply)
	}
}
