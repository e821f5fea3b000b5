package command

// NearSnapshot is what a node has of near copies, and has done with them, at one
// time.
type NearSnapshot struct {
	HotKeys, Copies, Bytes int               // now
	Hits                   uint64            // reads answered from a copy
	Joined                 uint64            // reads that waited for the fill of another read
	Fills                  uint64            // copies kept
	Dropped                [nearDrops]uint64 // copies and fills that were ended, by [NearDrop]
	Held                   int               // copies that other nodes have of keys of this one
	Told                   uint64            // changes of keys told to nodes with copies
	Unnoted                uint64            // copies of other nodes not noted, since there were too many
}

// nearDropWords are the reasons for which copies are dropped.
var nearDropWords = [nearDrops]string{
	dropChanged: "changed", dropWritten: "written", dropRead: "read", dropLost: "lost", dropMoved: "moved", dropUnlinked: "unlinked",
}

// String returns the word for the reason in INFO and metrics.
func (d NearDrop) String() string { return nearDropWords[d] }

// nearSnapshot returns the state of the copies.
func (x *Executor) nearSnapshot() (s NearSnapshot) {
	n, h := &x.near, &x.holders
	n.judge()
	hot := n.hot.Load()
	s.HotKeys = len(hot.keys)
	for _, k := range hot.keys {
		if c := k.copy.Load(); c != nil { // its time may be over: it is kept until the next one
			s.Copies++
			s.Bytes += len(k.key) + len(c.reply)
		}
	}
	s.Hits, s.Joined, s.Fills = n.hits.Load(), n.joined.Load(), n.fills.Load()
	for why := range n.drops {
		s.Dropped[why] = n.drops[why].Load()
	}
	h.mu.Lock()
	s.Held = h.copies
	h.mu.Unlock()
	s.Told, s.Unnoted = h.told.Load(), h.unnoted.Load()
	return s
}

// info shows the copies in INFO.
func (s *NearSnapshot) info(w *infoWriter) {
	w.field("cluster_hot_keys", s.HotKeys)
	w.field("cluster_near_copies", s.Copies)
	w.field("cluster_near_bytes", s.Bytes)
	w.field("cluster_near_hits", s.Hits)
	w.field("cluster_near_joined", s.Joined)
	w.field("cluster_near_fills", s.Fills)
	for why, n := range s.Dropped {
		w.field("cluster_near_dropped_"+NearDrop(why).String(), n)
	}
	w.field("cluster_near_held", s.Held)
	w.field("cluster_near_told", s.Told)
	w.field("cluster_near_unnoted", s.Unnoted)
}

// nearInfos are the numbers of copies among those of [Counters].
func nearInfos() []CounterInfo {
	return []CounterInfo{
		{"cluster_hot_keys", "keys", "Keys of other nodes that are read so much through this one that it keeps copies of them.", true, func(s *Snapshot) float64 { return float64(s.Cluster.Near.HotKeys) }},
		{"cluster_near_copies", "copies", "Copies of hot keys of other nodes that this node has.", true, func(s *Snapshot) float64 { return float64(s.Cluster.Near.Copies) }},
		{"cluster_near_bytes", "bytes", "Keys and values of these copies.", true, func(s *Snapshot) float64 { return float64(s.Cluster.Near.Bytes) }},
		{"cluster_near_hits_total", "requests", "Reads of hot keys of other nodes answered from a copy.", false, func(s *Snapshot) float64 { return float64(s.Cluster.Near.Hits) }},
		{"cluster_near_joined_total", "requests", "Reads of hot keys of other nodes that waited for a copy on its way.", false, func(s *Snapshot) float64 { return float64(s.Cluster.Near.Joined) }},
		{"cluster_near_fills_total", "copies", "Copies of hot keys fetched from their owners.", false, func(s *Snapshot) float64 { return float64(s.Cluster.Near.Fills) }},
		{"cluster_near_held", "copies", "Copies that other nodes have of hot keys of this one.", true, func(s *Snapshot) float64 { return float64(s.Cluster.Near.Held) }},
		{"cluster_near_told_total", "messages", "Changes of keys told to nodes that have copies.", false, func(s *Snapshot) float64 { return float64(s.Cluster.Near.Told) }},
		{"cluster_near_unnoted_total", "copies", "Copies that other nodes have and are not told of changes of, since there were too many.", false, func(s *Snapshot) float64 { return float64(s.Cluster.Near.Unnoted) }},
	}
}
