package loadgen_test

import (
	"context"
	"fmt"
	"time"

	"github.com/larder-cache/larder/internal/loadgen"
)

// Latency at a fixed rate, popular keys as in practice.
func ExampleRun() {
	c := loadgen.DefaultConfig()
	c.Address = "127.0.0.1:6379"
	c.Distribution = loadgen.Zipf
	c.Preload = true
	c.Rate, c.Arrivals = 5000, loadgen.Poisson
	c.Duration = 10 * time.Second
	r, err := loadgen.Run(context.Background(), c)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.0f requests/s, p99 %.0f us, hit ratio %.2f\n", r.PerSec, r.Latency.P99, r.HitRatio)
}

func ExampleParseSizes() {
	for _, text := range []string{"1KiB", "uniform:64-4KiB", "lognormal:300,1.2,64KiB", "64:9,1KiB:1", "tiny"} {
		s, err := loadgen.ParseSizes(text)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(s, "gives at most", s.Max(), "bytes")
	}
	// Output:
	// 1KiB gives at most 1024 bytes
	// uniform:64-4KiB gives at most 4096 bytes
	// lognormal:300,1.2,64KiB gives at most 65536 bytes
	// 64:9,1KiB:1 gives at most 1024 bytes
	// value size "tiny": "tiny" is not a size from 0 to 512MiB, such as 64 or 1KiB
}
