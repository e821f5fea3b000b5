// Package trace measures hit ratios: it replays recorded requests against
// eviction policies and sets the result beside the offline optimum.
//
// [Open] reads a trace in the DCT1 format. [Run] drives one policy over it in
// plain memory, with a capacity in objects or in bytes, in one piece or sharded
// by hash as the server is. [Optimum] and [SizedOptimum] are what a cache that
// knows the future would miss. [Measure] does all of this for a directory of
// traces, a list of policies and a grid of sizes, and returns a [Table] that
// renders as text, Markdown or JSON.
//
// Every request counts as a read followed, on a miss, by an insertion.
package trace
