package settings

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/larder-cache/larder/internal/config"
)

// The keys in the store.
const (
	currentKey    = "settings/current"
	historyPrefix = "settings/history/"
)

// historyLength is the number of revisions that are kept.
const historyLength = 256

// format is the version of what is stored. A record of a later one is refused.
const format = 1

// Record is one revision of the settings.
type Record struct {
	// Revision counts from 1; 0: nobody has set anything yet.
	Revision uint64
	Author   string // "user@address", or what made the change
	Time     time.Time
	Comment  string
	Paths    []string // what differs from the revision before
	Settings config.Shared
}

// stored is a record on disk and in the store.
type stored struct {
	Format   int       `json:"format"`
	Revision uint64    `json:"revision"`
	Author   string    `json:"author"`
	Time     time.Time `json:"time"`
	Comment  string    `json:"comment,omitempty"`
	Paths    []string  `json:"paths"`
	Document string    `json:"document"` // YAML
}

// historyKey returns the key of a revision; keys sort as revisions do.
func historyKey(revision uint64) string { return fmt.Sprintf("%s%020d", historyPrefix, revision) }

func (r *Record) encode() ([]byte, error) {
	return json.Marshal(stored{format, r.Revision, r.Author, r.Time, r.Comment, r.Paths, string(r.Settings.Document())})
}

func decode(data []byte) (Record, error) {
	var s stored
	if err := json.Unmarshal(data, &s); err != nil {
		return Record{}, fmt.Errorf("read a revision of the settings: %w", err)
	}
	if s.Format != format {
		return Record{}, fmt.Errorf("read a revision of the settings: it has format %d, this version of larder knows %d; upgrade this node", s.Format, format)
	}
	shared, err := config.DecodeShared([]byte(s.Document))
	if err != nil {
		return Record{}, fmt.Errorf("read revision %d of the settings: %w", s.Revision, err)
	}
	return Record{s.Revision, s.Author, s.Time, s.Comment, s.Paths, shared}, nil
}

// The longest author and comment, in bytes.
const (
	maxAuthor  = 256
	maxComment = 2000
)

// oneLine makes text fit into a line of the history.
func oneLine(text string, most int) string {
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "?"), func(r rune) bool {
		return unicode.IsControl(r) || r == ' '
	}), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "")
	}
	return text
}
