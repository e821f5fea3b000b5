package settings

import (
	"context"
	"fmt"
	"strings"

	"github.com/larder-cache/larder/internal/config"
)

// result waits for a revision and says where it is not in force.
func (s *Service) result(ctx context.Context, r Record) Result {
	result := Result{Revision: r.Revision, Changed: r.Paths}
	if err := s.await(ctx, r.Revision); err != nil {
		result.Notices = append(result.Notices, err.Error())
	}
	return Result{r.Revision, r.Paths, append(result.Notices, s.notices(r.Paths)...)}
}

// notices tells of settings that are not in force everywhere at once.
func (s *Service) notices(paths []string) (notices []string) {
	var restart []string
	for _, path := range paths {
		if !config.Live(path) {
			restart = append(restart, path)
		}
	}
	nodes := s.nodes()
	if len(restart) > 0 {
		where := "every node"
		if len(nodes) > 0 {
			var names []string
			for _, n := range nodes {
				names = append(names, n.Name)
			}
			where = "nodes " + strings.Join(names, ", ")
		}
		notices = append(notices, fmt.Sprintf("%s: takes effect after restart on %s", strings.Join(restart, ", "), where))
	}
	if len(nodes) == 0 {
		nodes = []NodeState{{"this node", s.State()}}
	}
	for _, n := range nodes {
		for _, path := range paths {
			if place, own := n.Overridden[path]; own {
				notices = append(notices, fmt.Sprintf("%s: %s goes by its own, %s", path, n.Name, place))
			}
		}
	}
	return notices
}
