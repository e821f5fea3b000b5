// Package demo is what `larder demo` shows: a database of real rows, clients
// that ask nodes for them as an audience would, and the events that make a cache
// worth having.
//
// The rows are the characters of Unicode ([Characters]), put into SQLite or
// PostgreSQL ([NewSQLite], [NewPostgres]). [Load] asks for them over real
// connections, some far more often than others, and the favourites change.
// [Stampede] makes a crowd miss one key at once; [Database.Hang] makes the
// database stop answering. [Screen] prints what happens, in one line that is
// written over on a terminal, and line by line elsewhere.
//
// With several nodes a [Fleet] runs each as a process of its own. Clients enter
// by all of them ([Doors]), while nodes join, leave, die and come back (story.go,
// kill.go); a [Ledger] finds out whether what was acknowledged is still there.
// What nodes count is read from their metrics, what becomes of partitions from
// LARDER CLUSTER STATUS ([State]).
//
// Nothing here knows the node or its configuration; cmd/larder puts them
// together.
package demo
