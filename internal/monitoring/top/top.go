// Package top is the terminal view of a node: what its status page shows, made
// to be left open in a corner of the screen.
//
// [Render] turns a status into text and is pure; [Model] is the program around
// it, which fetches the status every second and listens to keys.
package top

import (
	"context"
	"errors"
	"net"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/larder-cache/larder/internal/monitoring/status"
)

// Interval is how often the status is fetched.
const Interval = time.Second

// fetchTimeout is how long a node may take to answer.
const fetchTimeout = 3 * time.Second

// Fetch gets the status of a node.
type Fetch func(ctx context.Context) (status.Status, error)

// Model is the program. It implements [tea.Model] and is a value: every
// message makes a new one.
type Model struct {
	fetch Fetch
	frame Frame
	ended bool
}

// New returns a program that shows what fetch gets. address is how the node is
// called until it has told its own.
func New(address string, fetch Fetch) Model {
	return Model{fetch: fetch, frame: Frame{Address: address, Width: 80, Height: 24, Color: true}}
}

type (
	fetched struct{ status status.Status }
	failed  struct{ err error }
	tick    struct{}
)

// Init implements [tea.Model].
func (m Model) Init() tea.Cmd { return m.ask() }

// ask fetches the status.
func (m Model) ask() tea.Cmd {
	fetch := m.fetch
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
		defer cancel()
		s, err := fetch(ctx)
		if err != nil {
			return failed{err}
		}
		return fetched{s}
	}
}

func later() tea.Cmd { return tea.Tick(Interval, func(time.Time) tea.Msg { return tick{} }) }

// Update implements [tea.Model].
func (m Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.frame.Width, m.frame.Height = msg.Width, msg.Height
	case fetched:
		if !m.frame.Paused {
			m.frame.Status = &msg.status
		}
		m.frame.Away = ""
		return m, later()
	case failed:
		m.frame.Away = inWords(msg.err)
		return m, later()
	case tick:
		if m.frame.Paused {
			return m, later()
		}
		return m, m.ask()
	case tea.KeyPressMsg:
		return m.key(msg.String())
	}
	return m, nil
}

func (m Model) key(key string) (tea.Model, tea.Cmd) {
	switch key {
	case "q", "ctrl+c", "esc":
		if m.frame.Help && key == "esc" {
			m.frame.Help = false
			return m, nil
		}
		m.ended = true
		return m, tea.Quit
	case "p", "space":
		m.frame.Paused = !m.frame.Paused
	case "s":
		m.frame.Sort = (m.frame.Sort + 1) % orders
	case "?", "h":
		m.frame.Help = !m.frame.Help
	}
	return m, nil
}

// View implements [tea.Model].
func (m Model) View() tea.View {
	if m.ended {
		return tea.NewView("")
	}
	v := tea.NewView(Render(m.frame))
	v.AltScreen = true
	v.WindowTitle = "larder top"
	return v
}

// inWords says why a node could not be asked, without what is known: the
// address.
func inWords(err error) string {
	var op *net.OpError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer within " + fetchTimeout.String()
	case errors.As(err, &op):
		return op.Err.Error()
	}
	return err.Error()
}
