package simulate

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write what the stories lead to into testdata")

func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("there are no stories", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Tell(string(want))
			if err != nil {
				t.Errorf("%v\n%s", err, got)
			}
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
			} else if got != string(want) {
				t.Errorf("it went otherwise (go test ./internal/simulate -update writes it down):\n%s", got)
			}
		})
	}
}

func TestStoriesNameTheWrongLine(t *testing.T) {
	for _, story := range []string{"> dance", "> crash n1", "> run long", "> nodes 1\n> cut n1", "> nodes 1\n> start n1", "> nodes many", "> cut n1-n9"} {
		if _, err := Tell(story); err == nil {
			t.Errorf("%q was told", story)
		}
	}
}
