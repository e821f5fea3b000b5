// # The default policy
//
// [Adaptive] does not choose among known policies; it estimates what they all
// guess at. For every kind of entry it learns how long after a use the next one
// comes, and evicts the entry that earns the fewest uses per byte and time.
//
//	       Add, Touch                                Victim
//	           |                                        |
//	 stamp the entry's node                 draw a sample by bytes <- population
//	 (usage, time of last use)                          |
//	           |                            worth by usage and age, over size
//	key in the sample of hashes?                        |
//	           | yes                          worst candidate leaves
//	        learner ---- reuse by class and age ---->   |
//	    near and far observer                        ghosts
//
// A hit writes the entry's own node and no other: a clock value and a byte that
// holds the use level (1, 2, 3-4, 5-11, 12+) and the octave of the last interval
// between uses. For the few keys whose hash is in a sample, resident or not, the
// learner also notes at which age the use came. A dense sample reaches eight
// times as many keys as are resident, a thin one sixty-four times.
//
// From time to time the reuseModel turns these notes into the worth of an entry
// by class and age: the Gittins index, the best ratio of expected uses to
// expected time over all times at which one could give up waiting. Where reuse
// thins out with age this is LRU, where it comes after a fixed distance it keeps
// a part of the loop as the optimum does, and where single uses do not repeat it
// lets new entries go first as S3-FIFO does. There is no switch between these.
//
// A victim is the worst of a random sample and of the bad candidates that earlier
// samples left. Sampling in proportion to bytes and dividing worth by size is
// what makes it good with objects of different sizes. What leaves is remembered
// as a ghost of two bytes, so that a key that comes back continues its usage.
//
// The learner also knows which sampled keys LRU would hold (its records are in
// LRU order), and so what the model saves or costs. Until it has saved a hundredth
// of LRU's misses, some victims are the stalest among the worthless; once it has
// cost misses, more and more are the stalest of all that were looked at.
//
// Memory: eight bytes per entry of 4 KiB or more for the population (of any size
// where none can be drawn at random, see [Sampler]), two to four per entry for
// ghosts, under half a byte for records, and up to 12288 records of 28 bytes per
// policy whatever the size. Without a limit ([Policy.SetCapacity] of zero) there
// are no ghosts and no records, and a hit only stamps the node.
//
// Sources: N. Beckmann, H. Chen, A. Cidon, "LHD: Improving Cache Hit Rate by
// Maximizing Hit Density", NSDI 2018 (ranking by expected hits per space and
// time); J. C. Gittins, "Bandit Processes and Dynamic Allocation Indices", JRSS
// B 1979; E. L. Kaplan, P. Meier, JASA 1958 (estimation with ended
// observations); S. Jiang, X. Zhang, "LIRS", SIGMETRICS 2002 (the interval
// between uses says more than recency); C. Waldspurger et al., "SHARDS", FAST
// 2015 (sampling by hash). The other policies: J. Yang et al., "FIFO queues are
// all you need for cache eviction", SOSP 2023 (S3-FIFO); Y. Zhang et al.,
// "SIEVE", NSDI 2024; G. Einziger, R. Friedman, B. Manes, "TinyLFU", ACM ToS
// 2017.
package eviction
