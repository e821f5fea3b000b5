package command

func init() {
	for name, requests := range transactionsAsRedis {
		sameAsRedis[name] = requests
	}
}

// transactionsAsRedis are requests of one client that a real Redis answers in
// the same way, in both protocols.
var transactionsAsRedis = map[string][]string{
	"transactions": {
		"EXEC", "DISCARD", "UNWATCH", "MULTI", "SET a 1", "GET a", "INCR a", "EXEC", "GET a",
		"MULTI", "EXEC", "MULTI", "DISCARD", "EXEC",
		"MULTI", "MULTI", "SET a 5", "EXEC",
		"MULTI", "WATCH x", "SET a 6", "EXEC", "GET a",
		"MULTI", "SET a 7", "NOSUCH", "SET a 8", "EXEC", "GET a", "PING",
		"MULTI", "SET a", "EXEC", "MULTI", "CLIENT NOSUCH", "EXEC", "MULTI", "CONFIG", "EXEC",
		"MULTI", "EXEC x", "PING", "EXEC", "MULTI", "DISCARD x", "EXEC", "EXEC x",
		"MULTI", "SET a x", "INCR a", "GET a", "EXEC",
		"MULTI", "SET a 1 FOO", "GET a", "EXEC",
		"MULTI", "SELECT 3", "SET b 1", "EXEC", "GET b", "SELECT 0", "GET b",
		"MULTI", "SAVE", "EXEC", "MULTI", "SHUTDOWN", "EXEC",
		"MULTI", "WAIT 5 0", "EXEC", "MULTI", "UNWATCH", "EXEC",
		"MULTI", "MGET a b", "GET nosuch", "KEYS nosuch*", "EXISTS a", "EXEC",
		"MULTI", "GET a", "RESET", "EXEC", "GET a",
	},
	"multi and others": {
		"MULTI", "SUBSCRIBE a", "UNSUBSCRIBE a", "PING", "EXEC",
		"MULTI", "CLIENT SETNAME me", "CLIENT GETNAME", "ECHO x", "EXEC", "CLIENT GETNAME",
		"MULTI", "HELLO 4", "GET nosuch", "EXEC",
		"MULTI", "DEBUG SLEEP 0", "FLUSHALL", "DBSIZE", "EXEC",
		"MULTI", "CONFIG SET maxmemory bla", "PING", "EXEC",
		`MULTI`, `DEBUG ERROR "ERR mine"`, "EXEC",
		"CONFIG SET maxmemory 1", "MULTI", "SET a 1", "DISCARD",
		"MULTI", "GET a", "EXEC", "CONFIG SET maxmemory 0",
		"MULTI", "GET a", "CONFIG SET maxmemory 1", "EXEC", "MULTI", "PING", "DISCARD", "CONFIG SET maxmemory 0", "PING",
	},
	"watch": {
		"WATCH", "WATCH a b", "MULTI", "PING", "EXEC",
		"SET a 1", "WATCH a", "SET a 2", "MULTI", "PING", "EXEC", "MULTI", "PING", "EXEC",
		"WATCH a b c", "SET c 1", "MULTI", "SET a 5", "EXEC", "GET a",
		"WATCH a", "SET a 3", "UNWATCH", "MULTI", "PING", "EXEC",
		"WATCH a", "DEL a", "SET a 3", "MULTI", "PING", "EXEC",
		"WATCH a", "EXPIRE a 100", "MULTI", "PING", "EXEC",
		"WATCH a", "FLUSHALL", "MULTI", "PING", "EXEC", "WATCH a", "FLUSHALL", "MULTI", "PING", "EXEC",
		"SET a 1", "WATCH a", "SWAPDB 0 1", "MULTI", "PING", "EXEC", "WATCH a", "SWAPDB 0 1", "MULTI", "PING", "EXEC",
		"SELECT 5", "WATCH a", "SELECT 0", "SET a 2", "MULTI", "PING", "EXEC",
		"SET a 1 PX 1", "WATCH a", "MULTI", "SET a 1", "DISCARD", "SET a 2", "MULTI", "INCR a", "EXEC",
		"WATCH a", "MULTI", "INCR a", "INCR a", "EXEC", "WATCH a a", "APPEND a x", "MULTI", "GET a", "EXEC",
		"WATCH a", "GET a", "GETEX a", "STRLEN a", "TYPE a", "MULTI", "GET a", "EXEC",
		"WATCH a", "RESET", "SET a 1", "MULTI", "GET a", "EXEC", "WATCH a", "NOSUCH", "GET", "MULTI", "GET a", "EXEC",
	},
	"scripting": {
		"FUNCTION FLUSH", "FUNCTION FLUSH SYNC", "FUNCTION FLUSH async", "FUNCTION FLUSH x", "FUNCTION FLUSH SYNC SYNC",
		"FUNCTION LIST", "FUNCTION LIST WITHCODE", "FUNCTION LIST LIBRARYNAME x", "FUNCTION LIST LIBRARYNAME", "FUNCTION LIST x",
		"FUNCTION LIST WITHCODE WITHCODE", "FUNCTION LIST LIBRARYNAME x WITHCODE", "FUNCTION LIST LIBRARYNAME x LIBRARYNAME x",
		"FUNCTION KILL", "FUNCTION", "FUNCTION FOO", "FUNCTION STATS x", "SCRIPT", "SCRIPT FOO", "SCRIPT KILL", "SCRIPT KILL x",
		"SCRIPT EXISTS", "SCRIPT EXISTS a", "SCRIPT EXISTS a b", "SCRIPT FLUSH", "SCRIPT FLUSH SYNC", "SCRIPT FLUSH x", "SCRIPT FLUSH SYNC x", "SCRIPT LOAD",
	},
}
