package settings

import (
	"strconv"
	"strings"

	"github.com/larder-cache/larder/internal/command"
)

// Origin says where a node has its settings from.
type Origin string

// The origins.
const (
	FromNowhere Origin = "none"            // neither store nor copy: defaults and its own
	FromCopy    Origin = "last-known-copy" // the store has not answered since the start
	FromStore   Origin = "store"
)

// State is how far a node has come with the settings of its cluster. It is what
// the node tells the others.
type State struct {
	// Revision that is in force on the node.
	Revision uint64 `json:"revision"`
	// Seen is the newest that the node knows of; above Revision when that could
	// not be put in force: Problem says why.
	Seen    uint64 `json:"seen"`
	Origin  Origin `json:"origin"`
	Problem string `json:"problem,omitempty"`
	// Restart has the settings that take effect when the node is restarted.
	Restart []string `json:"restart,omitempty"`
	// Overridden has the settings that the node goes by its own for, with the
	// place of its own: larder.yaml:3 or --maxmemory.
	Overridden map[string]string `json:"overridden,omitempty"`
	// Unknown has the settings that the node's version does not know.
	Unknown []string `json:"unknown,omitempty"`
}

// NodeState is a node as another one knows it.
type NodeState struct {
	Name string
	State
}

// Section returns the state as a section of INFO.
func (s *Service) Section() command.Section {
	st := s.State()
	var overridden []string
	for path := range st.Overridden {
		overridden = append(overridden, path)
	}
	return command.Section{Name: "settings", Title: "Settings", Fields: []command.Parameter{
		{Name: "settings_revision", Value: strconv.FormatUint(st.Revision, 10)},
		{Name: "settings_revision_seen", Value: strconv.FormatUint(st.Seen, 10)},
		{Name: "settings_origin", Value: string(st.Origin)},
		{Name: "settings_problem", Value: oneLine(st.Problem, maxComment)},
		{Name: "settings_restart_needed", Value: strings.Join(st.Restart, ",")},
		{Name: "settings_overridden", Value: strings.Join(inOrder(overridden), ",")},
	}}
}
