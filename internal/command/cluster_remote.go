package command

import "github.com/larder-cache/larder/internal/cluster/peer"

// serveOther serves what is asked by a node for itself rather than for one of
// its clients' keys. What takes long is done aside; the rest in order.
func (r *Remote) serveOther(q peer.Request, out *peer.Batch) {
	switch q.Kind {
	case KindSweep:
		r.serveSweep(q)
	case KindInterest:
		r.serveInterest(q, out)
	case KindNews:
		r.serveNews(q, out)
	case KindPublish:
		r.servePublish(q, out)
	case KindRelay:
		r.serveRelay(q, out)
	case KindAudience:
		r.serveAudience(q)
	default:
		r.refuse(q.ID)
	}
}
