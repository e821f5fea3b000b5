// Package demo is what `larder demo` shows: a database of real rows, clients
// that ask a node for them as an audience would, and the events that make a
// cache worth having.
//
// The rows are the characters of Unicode ([Characters]), put into SQLite or
// PostgreSQL ([NewSQLite], [NewPostgres]). [Load] asks for them over real
// connections, some far more often than others, and the favourites change.
// [Stampede] makes a crowd miss one key at once; [Database.Hang] makes the
// database stop answering. [Screen] prints what happens, in one line that is
// written over on a terminal, and line by line elsewhere.
//
// Nothing here knows the node or its configuration; cmd/larder puts them
// together.
package demo
