package source_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/larder-cache/larder/internal/source"
)

func ExampleLoader() {
	pattern, _ := source.ParsePattern("user:{id:int}")
	lookup := lookupFunc(func(_ context.Context, p source.Params) (source.Value, error) {
		if p.Int(0) != 7 {
			return source.Value{}, source.ErrNotFound
		}
		return source.Value{Data: []byte("Ann")}, nil
	})
	loader := source.NewLoader(pattern, lookup, source.NewGate("main", source.Config{}))
	defer loader.Close()

	store := func(v source.Value, err error) { fmt.Printf("fill %q, %v\n", v.Data, err) }
	v, _ := loader.Load(context.Background(), []byte("user:7"), source.Always(store))
	fmt.Printf("answer %q\n", v.Data)
	_, err := loader.Load(context.Background(), []byte("user:8"), source.Always(store))
	fmt.Println(errors.Is(err, source.ErrNotFound))
	// Output:
	// fill "Ann", <nil>
	// answer "Ann"
	// fill "", the source has no such row
	// true
}
