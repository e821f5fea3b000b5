package main

import (
	"context"
	"time"
)

var (
	firstAnswer = metric{"from exec to the first answer", "ms", false}
	idleMemory  = metric{"idle anonymous memory", "MiB", false}
)

// startup starts every peer ten times.
func (b *bench) startup(ctx context.Context) error {
	for round := range pick(b, 10, 3) {
		for _, p := range turn(b.peers, round) {
			s := b.start(ctx, p, 0)
			if s == nil {
				continue
			}
			b.rep.add("start", firstAnswer, "start", s.name, float64(s.ready.Microseconds())/1e3)
			err := sleep(ctx, 500*time.Millisecond)
			anonymous := float64(s.memory("RssAnon")) / (1 << 20)
			b.rep.add("start", idleMemory, "half a second later", s.name, anonymous)
			s.stop()
			if err != nil {
				return err
			}
			b.say("%-10s %6.1f ms, %.1f MiB", s.name, float64(s.ready.Microseconds())/1e3, anonymous)
		}
	}
	return ctx.Err()
}
