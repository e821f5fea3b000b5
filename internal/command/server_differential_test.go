package command

import (
	"strings"
	"testing"
)

// sameAsRedis are requests of one client, in order, that a real Redis answers
// in the same way, byte for byte.
var sameAsRedis = map[string][]string{
	"connection": {
		"PING", "PING hello", "PING a b", "ECHO x", "ECHO", "ECHO a b", "SELECT 3", "SELECT 16", "SELECT -1", "SELECT x",
		"SELECT 99999999999", "SET a 1", "SELECT 0", "GET a", "SELECT 3", "GET a", "DEL a", "SELECT 0", "ping", "PiNg x",
		"AUTH x", "AUTH default x", "AUTH a b c", "NOSUCH", "NOSUCH a b c", "NOSUCH " + strings.Repeat("x", 200) + " y",
		"GET", "GET a b", "CLIENT", "CLIENT NOSUCH", "CLIENT nosuch x", "CONFIG", "CONFIG NOSUCH", "CLIENT ID x",
		"RESET", "PING",
	},
	"hello": {
		"HELLO 4", "HELLO x", "HELLO 1", "HELLO 2 FOO", "HELLO 2 AUTH a", "HELLO 2 AUTH nosuch x", "HELLO 2 SETNAME",
		`HELLO 2 SETNAME "a b"`, "HELLO 2 AUTH", "HELLO 99999999999999999999",
	},
	"client": {
		"CLIENT GETNAME", "CLIENT SETNAME me", "CLIENT GETNAME", `CLIENT SETNAME "a b"`, `CLIENT SETNAME ""`, "CLIENT GETNAME",
		"CLIENT SETNAME", "CLIENT NO-EVICT", "CLIENT NO-EVICT on", "CLIENT NO-EVICT off", "CLIENT NO-EVICT x",
		"CLIENT REPLY x", "CLIENT REPLY ON", "CLIENT PAUSE", "CLIENT PAUSE x", "CLIENT PAUSE -1", "CLIENT PAUSE 1 x", "CLIENT PAUSE 1 WRITE x",
		"CLIENT UNPAUSE", "CLIENT UNPAUSE x", "CLIENT UNBLOCK 999", "CLIENT UNBLOCK x", "CLIENT UNBLOCK 1 x", "CLIENT UNBLOCK 999 error",
		"CLIENT KILL", "CLIENT KILL 1.2.3.4:5", "CLIENT KILL ID", "CLIENT KILL ID x", "CLIENT KILL ID 0", "CLIENT KILL ID 99999", "CLIENT KILL TYPE x",
		"CLIENT KILL TYPE pubsub", "CLIENT KILL USER nosuch", "CLIENT KILL SKIPME x", "CLIENT KILL FOO x", "CLIENT KILL ID 1 FOO",
		"CLIENT KILL TYPE master SKIPME yes", "CLIENT LIST TYPE x", "CLIENT LIST TYPE", "CLIENT LIST TYPE master", "CLIENT LIST TYPE replica", "CLIENT LIST ID x", "CLIENT LIST ID 12345", "CLIENT LIST FOO bar",
		"CLIENT GETREDIR", "CLIENT TRACKINGINFO", "CLIENT CACHING yes", "CLIENT CACHING", "CLIENT GETREDIR x",
	},
	"tracking": {
		"CLIENT TRACKING", "CLIENT TRACKING x", "CLIENT TRACKING on FOO", "CLIENT TRACKING on REDIRECT 9999", "CLIENT TRACKING on REDIRECT x",
		"CLIENT TRACKING on PREFIX a", "CLIENT TRACKING on BCAST OPTIN", "CLIENT TRACKING on OPTIN OPTOUT", "CLIENT TRACKING on REDIRECT",
		"CLIENT TRACKING on OPTIN", "CLIENT TRACKINGINFO", "CLIENT CACHING yes", "CLIENT TRACKINGINFO", "PING", "CLIENT TRACKINGINFO",
		"CLIENT CACHING no", "CLIENT CACHING x", "CLIENT TRACKING on OPTOUT", "CLIENT TRACKING on BCAST", "CLIENT GETREDIR",
		"CLIENT TRACKING off", "CLIENT TRACKINGINFO", "CLIENT TRACKING on OPTOUT NOLOOP", "CLIENT CACHING no", "CLIENT CACHING yes", "CLIENT TRACKINGINFO",
		"CLIENT TRACKING off", "CLIENT TRACKING on BCAST PREFIX a PREFIX ab", "CLIENT TRACKING on BCAST PREFIX a PREFIX b", "CLIENT TRACKINGINFO",
		"CLIENT TRACKING on BCAST PREFIX ax", "CLIENT TRACKING on BCAST PREFIX c", "CLIENT TRACKINGINFO", "CLIENT TRACKING off", "CLIENT TRACKING on BCAST",
		"CLIENT TRACKINGINFO", "CLIENT TRACKING off",
	},
	"config": {
		"CONFIG GET maxmemory", "CONFIG SET maxmemory 100mb", "CONFIG GET maxmemory", "CONFIG SET maxmemory 1gb", "CONFIG GET MAXMEMORY",
		"CONFIG SET maxmemory x", "CONFIG SET maxmemory 10x", "CONFIG SET maxmemory -1", "CONFIG SET maxmemory 1K", "CONFIG GET maxmemory", "CONFIG SET maxmemory 0",
		"CONFIG SET maxmemory-policy allkeys-lru", "CONFIG GET maxmemory-policy", "CONFIG SET maxmemory-policy volatile-ttl",
		"CONFIG SET nosuch 1", "CONFIG SET", "CONFIG SET timeout", "CONFIG SET timeout 1 maxclients", "CONFIG SET timeout x", "CONFIG SET timeout -1",
		"CONFIG SET timeout 10 nosuch 1", "CONFIG GET timeout", "CONFIG SET timeout 10 tcp-keepalive x", "CONFIG GET timeout",
		"CONFIG SET timeout 10 timeout 11", "CONFIG SET timeout 10 slowlog-max-len 5", "CONFIG SET timeout 0",
		"CONFIG SET port", "CONFIG SET databases 5", "CONFIG SET daemonize yes", "CONFIG SET latency-tracking x", "CONFIG SET latency-tracking NO", "CONFIG GET latency-tracking",
		"CONFIG SET latency-tracking yes", "CONFIG SET notify-keyspace-events KEA", "CONFIG GET notify-keyspace-events", "CONFIG SET notify-keyspace-events Ex",
		"CONFIG GET notify-keyspace-events", "CONFIG SET notify-keyspace-events g$lshzxetdEKmn", "CONFIG GET notify-keyspace-events", "CONFIG SET notify-keyspace-events q", `CONFIG SET notify-keyspace-events ""`,
		"CONFIG SET client-output-buffer-limit x", `CONFIG SET client-output-buffer-limit "normal 1mb 2mb 60"`, "CONFIG GET client-output-buffer-limit",
		`CONFIG SET client-output-buffer-limit "master 1 1 1"`, `CONFIG SET client-output-buffer-limit "normal x 1 1"`, `CONFIG SET client-output-buffer-limit "normal 0 0 0 pubsub 32mb 8mb 60"`,
		"CONFIG GET client-output-buffer-limit", `CONFIG SET latency-tracking-info-percentiles "50 99.9 101"`, `CONFIG SET latency-tracking-info-percentiles "1 99.9"`, "CONFIG GET latency-tracking-info-percentiles",
		"CONFIG SET latency-tracking-info-percentiles x", `CONFIG SET latency-tracking-info-percentiles ""`, "CONFIG GET latency-tracking-info-percentiles",
		"CONFIG SET hz 20", "CONFIG GET hz", "CONFIG SET hash-max-ziplist-entries 10", "CONFIG GET hash-max-listpack-entries", "CONFIG GET hash-max-ziplist-entries",
		"CONFIG SET appendfsync x", "CONFIG SET appendfsync always", "CONFIG GET appendfsync", "CONFIG SET slowlog-log-slower-than -2", "CONFIG SET slowlog-log-slower-than -1", "CONFIG GET slowlog-log-slower-than",
		"CONFIG SET proto-max-bulk-len 1", "CONFIG SET proto-max-bulk-len 2mb", "CONFIG GET proto-max-bulk-len", "CONFIG GET nosuch", "CONFIG GET", "CONFIG REWRITE", "CONFIG REWRITE x", "CONFIG RESETSTAT",
		`CONFIG SET save ""`, "CONFIG GET save", "CONFIG SET appendonly no", "CONFIG GET appendonly", "CONFIG SET dir /", "CONFIG SET maxclients 0", "CONFIG SET lfu-log-factor 20",
		"CONFIG SET tracking-table-max-keys 5", "CONFIG GET tracking-table-max-keys", "CONFIG SET requirepass x", "CONFIG GET requirepass", `CONFIG SET requirepass ""`,
		"CONFIG SET enable-debug-command no", "CONFIG SET maxmemory-clients 50%", "CONFIG GET maxmemory-clients", "CONFIG SET maxmemory-clients 101%", "CONFIG SET maxmemory-clients x", "CONFIG SET maxmemory-clients 10mb",
	},
	"slowlog": {
		"SLOWLOG LEN", "SLOWLOG GET", "SLOWLOG GET 0", "SLOWLOG GET -1", "SLOWLOG GET -2", "SLOWLOG GET x", "SLOWLOG RESET", "SLOWLOG RESET x", "SLOWLOG FOO", "SLOWLOG",
	},
	"latency": {
		"LATENCY LATEST", "LATENCY HISTORY command", "LATENCY RESET", "LATENCY RESET command x", "LATENCY GRAPH command", "LATENCY HISTOGRAM nosuch", "LATENCY FOO", "LATENCY HISTORY",
	},
	"pubsub": {
		"PUBLISH a b", "SPUBLISH a b", "PUBSUB CHANNELS", "PUBSUB CHANNELS a*", "PUBSUB CHANNELS a b", "PUBSUB NUMSUB", "PUBSUB NUMSUB a b", "PUBSUB NUMPAT", "PUBSUB NUMPAT x",
		"PUBSUB SHARDCHANNELS", "PUBSUB SHARDNUMSUB a", "PUBSUB FOO", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE", "UNSUBSCRIBE a",
		"SUBSCRIBE", "SUBSCRIBE a", "PUBSUB CHANNELS", "PSUBSCRIBE x*", "SSUBSCRIBE s", "PING", "PING x", "UNSUBSCRIBE a", "PUNSUBSCRIBE", "SUNSUBSCRIBE", "PING",
	},
	"subscribed": {"SUBSCRIBE a", "GET a", "CLIENT ID x", "PUBSUB NUMPAT", "NOSUCH", "GET", "RESET", "GET a"},
	"server": {
		"ROLE", "ROLE x", "WAIT 0 0", "WAIT x 0", "WAIT 0 x", "WAIT 0 -1", "REPLICAOF NO ONE", "SLAVEOF no one", "REPLICAOF", "FAILOVER", "MODULE LIST", "MODULE FOO", "ACL WHOAMI", "ACL USERS", "ACL GETUSER x", "ACL CAT nosuch", "ACL CAT", "ACL CAT a b", "ACL GENPASS x", "ACL GENPASS 0", "ACL GENPASS 5000", "ACL FOO",
		"CLUSTER INFO", "CLUSTER NODES", "CLUSTER FOO", "CLUSTER", "READONLY", "READWRITE", "ASKING", "TIME x", "LASTSAVE x", "SHUTDOWN FOO", "SHUTDOWN ABORT", "SHUTDOWN SAVE NOSAVE", "SHUTDOWN ABORT NOW",
		"MEMORY USAGE nosuch", "MEMORY USAGE", "MEMORY USAGE a SAMPLES", "MEMORY USAGE a SAMPLES x", "MEMORY USAGE a SAMPLES -1", "MEMORY USAGE a FOO 1", "MEMORY USAGE nosuch SAMPLES 1", "MEMORY PURGE", "MEMORY FOO",
		"INFO nosuch", "INFO cluster", "INFO modules", "LOLWUT VERSION x",
	},
	"command": {
		"COMMAND GETKEYS GET a", "COMMAND GETKEYS MSET a 1 b 2", "COMMAND GETKEYS NOSUCH a", "COMMAND GETKEYS PING x", "COMMAND GETKEYS GET a b", "COMMAND GETKEYSANDFLAGS SET a 1", "COMMAND GETKEYSANDFLAGS SET a 1 GET",
		"COMMAND GETKEYSANDFLAGS MSET a 1 b 2", "COMMAND GETKEYS OBJECT ENCODING k", "COMMAND GETKEYS MEMORY USAGE k", "COMMAND INFO nosuch", "COMMAND DOCS nosuch", "COMMAND LIST FILTERBY MODULE x", "COMMAND LIST FILTERBY ACLCAT nosuch",
		"COMMAND LIST FILTERBY PATTERN xyz*", "COMMAND LIST FILTERBY FOO x", "COMMAND LIST x", "COMMAND COUNT x", "COMMAND FOO", "COMMAND LIST FILTERBY PATTERN GETS*",
	},
	"debug": {
		"DEBUG", "DEBUG FOO", "DEBUG SLEEP 0", `DEBUG ERROR "ERR something"`, "DEBUG PROTOCOL string", "DEBUG PROTOCOL integer", "DEBUG PROTOCOL double", "DEBUG PROTOCOL bignum", "DEBUG PROTOCOL null",
		"DEBUG PROTOCOL array", "DEBUG PROTOCOL set", "DEBUG PROTOCOL map", "DEBUG PROTOCOL true", "DEBUG PROTOCOL false", "DEBUG PROTOCOL verbatim", "DEBUG PROTOCOL x",
		"DEBUG OBJECT nosuch", "DEBUG DIGEST", "SET a 1", "SET b hello EX 1000", "DEBUG DIGEST", "DEBUG DIGEST-VALUE a b nosuch", "SELECT 5", "SET a 1", "DEBUG DIGEST", "DEBUG DIGEST-VALUE", "DEBUG SET-ACTIVE-EXPIRE 1",
		"DEBUG POPULATE 5", "GET key:3", "DEBUG POPULATE 2 p 10", "GET p:1", "DEBUG DIGEST", "DEBUG POPULATE x", "DEBUG POPULATE -1", "DEBUG QUICKLIST-PACKED-THRESHOLD 100b", "DEBUG CHANGE-REPL-ID",
	},
}

// Requests of one client get the replies of a real Redis, in both protocols.
func TestServerSameAsRedis(t *testing.T) {
	for _, version := range []string{"2", "3"} {
		for name, requests := range sameAsRedis {
			t.Run(name+" RESP"+version, func(t *testing.T) {
				p, r := startPeer(t), newTester(t)
				p.do("HELLO", version)
				r.do("HELLO", version)
				for _, request := range requests {
					w := words(t, request)
					ours, theirs := r.do(w...), p.do(w...)
					if ours != theirs {
						t.Errorf("%.100s\n  ours %q\ntheirs %q", request, ours, theirs)
					}
				}
			})
		}
	}
}
