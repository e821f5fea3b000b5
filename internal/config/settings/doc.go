// Package settings keeps the settings that the nodes of a cluster have in common:
// one document in a strongly consistent store, with a history.
//
//	Set, Replace, Rollback                      every node
//	        │ judged as a whole                     │
//	        ▼                                       │ watch
//	  compare and set ──▶ settings/current ─────────┤
//	  (one commit)   └──▶ settings/history/REV      ▼
//	                              own file and flags over it (config.Own)
//	                                                │ judged again
//	                                  Apply ──▶ in force, last known copy, State
//
// A node goes through [Open] (its last known copy), [Service.Connect] (what the
// store has now), [Service.Start] (the configuration to start with) and
// [Service.Run] (every later revision). Without the store it starts from the
// copy and says so in its [State]; changes are refused until the store answers.
//
// A change is a commit on the condition that the document is the one that was
// judged. When somebody else was faster the change is made again on top of
// theirs, unless the caller has said which revision they had seen and the same
// setting has changed since: that is a [ConflictError].
//
// Invariant: the revisions of a cluster are 1, 2, 3 ... without a gap, and what a
// revision says never changes.
package settings
