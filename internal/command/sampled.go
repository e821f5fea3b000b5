package command

// maxSampledKeys is how many keys of one request of the sample are told of;
// of a longer one, as many evenly spread ones.
const maxSampledKeys = 64

// tellSample tells [Hooks.Sampled] which keys a request of the latency sample
// has used, so that finding the hot keys costs other requests nothing.
func (x *Executor) tellSample(s *Session, cmd *Command, args [][]byte) {
	share := min(1, x.Options().LatencySample)
	if x.hooks.Sampled == nil || len(cmd.Keys) == 0 || share <= 0 {
		return
	}
	uses := cmd.keyUses(args)
	step := 1 + len(uses)/maxSampledKeys
	for i := 0; i < len(uses); i += step {
		write := uses[i].Flags&KeyRO == 0
		x.hooks.Sampled(s.DB, args[uses[i].At], float64(step)/share, write)
	}
}
