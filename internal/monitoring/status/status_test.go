package status

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/shape.txt")

// TestShape guards the document that scripts and older programs read: a field
// may come, none may go or change its type. With -update the list is written
// anew, to be reviewed as a diff.
func TestShape(t *testing.T) {
	var b strings.Builder
	shape(&b, reflect.TypeFor[Status](), "")
	const file = "testdata/shape.txt"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.String(); got != string(want) {
		t.Errorf("the shape has changed; got\n%s\nwant\n%s", got, want)
	}
}

// shape writes the path of every value of a document and its type in JSON.
func shape(b *strings.Builder, t reflect.Type, path string) {
	switch t.Kind() {
	case reflect.Struct:
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			shape(b, f.Type, strings.TrimPrefix(path+"."+name, "."))
		}
	case reflect.Pointer:
		shape(b, t.Elem(), path)
	case reflect.Slice:
		shape(b, t.Elem(), path+"[]")
	case reflect.String, reflect.Bool:
		fmt.Fprintln(b, path, t.Kind())
	default:
		fmt.Fprintln(b, path, "number")
	}
}
