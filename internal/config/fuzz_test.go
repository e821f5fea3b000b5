package config

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// FuzzParse checks that any text gives either a configuration, which survives
// being written and read, or problems that have something to say; and that a
// valid one can be amended, or is left alone.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/bad/*.yaml")
	for _, file := range append(files, "testdata/full.yaml") {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	var reference bytes.Buffer
	if err := WriteReference(&reference); err != nil {
		f.Fatal(err)
	}
	f.Add(reference.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("larder.yaml", data)
		if err != nil {
			var problems Problems
			if !errors.As(err, &problems) || len(problems) == 0 {
				t.Fatalf("not problems: %v", err)
			}
			for _, p := range problems {
				if p.Text == "" || p.Error() == "" {
					t.Fatalf("a problem without words: %+v", p)
				}
			}
			return
		}
		var b bytes.Buffer
		if err := WriteEffective(&b, c); err != nil {
			t.Fatal(err)
		}
		if c.Command.Password == "" && len(c.Sources) == 0 && len(c.Namespaces) == 0 {
			again, err := Parse("effective", b.Bytes())
			if err != nil || !reflect.DeepEqual(c, again) {
				t.Fatalf("%v\n%s\n%+v\n%+v", err, b.String(), c, again)
			}
		}
		now, names := changed()
		amended, err := amend(data, now, names)
		if err != nil {
			return
		}
		if _, err := readBack(amended); err != nil {
			t.Fatalf("amended to something invalid: %v\n%s", err, amended)
		}
	})
}
