package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
)

// Override is a setting that a flag gives. It goes before the file.
type Override struct {
	Flag   string   // as the person wrote it: "--maxmemory"
	Path   string   // of the setting: "memory.maxmemory"
	Values []string // one, or the elements of a list
}

// Load reads a configuration: the defaults, over them the file, over that the
// flags. name is the file's path; empty: none. The error is a [Problems] with
// everything that is wrong, or says why the file could not be read.
func Load(name string, flags ...Override) (Config, error) {
	own, err := ReadOwn(name, flags...)
	if err != nil {
		return Config{}, err
	}
	e, err := own.Over(Shared{})
	return e.Config, err
}

// maxFileBytes is more than any configuration needs, and keeps a wrong path
// from filling the memory.
const maxFileBytes = 1 << 20

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, unreadable(name, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, unreadable(name, err)
	}
	if len(data) > maxFileBytes {
		return nil, Problems{{File: name, Text: "is larger than 1 MB", Hint: "is it a configuration at all?"}}
	}
	return data, nil
}

func unreadable(name string, err error) error {
	p := Problem{File: name, Text: "cannot be read"}
	var path *fs.PathError
	if errors.As(err, &path) {
		p.Text += ": " + path.Err.Error()
	}
	if errors.Is(err, fs.ErrNotExist) {
		p.Text = "there is no such file"
		p.Hint = "larder config reference > " + name + " writes one with every setting"
	}
	return Problems{p}
}

// Parse is [Load] with the text of the file in hand. name is what problems call
// it. The caller keeps data.
func Parse(name string, data []byte, flags ...Override) (Config, error) {
	l := &loader{file: name, config: Default(), places: map[string]place{}}
	l.config.Sources, l.config.Namespaces = nil, nil
	l.read(data)
	for _, f := range flags {
		l.override(f)
	}
	// What could not be read would only be reported a second time: a section
	// with a typing error in dsn lacks its dsn.
	l.problems = append(l.problems, l.judge()...)
	if len(l.problems) > 0 {
		return Config{}, l.problems.sorted()
	}
	return l.config, nil
}

// loader fills a configuration and remembers what was wrong and where things
// stand.
type loader struct {
	file     string
	config   Config
	scope    Scope // of the settings that are allowed: ScopeCluster excludes those of nodes
	problems Problems
	places   map[string]place // of what the file and the flags set, by path
	failed   map[string]bool  // paths whose value could not be read
	// tolerated tells of unknown paths that are no problem; nil: all are.
	tolerated func(path string) bool
}

// place is where a setting was written.
type place struct {
	line, column int
	flag         string
	shared       bool // among the settings of the cluster, which have no lines
}

// report adds a problem of a setting at the place where it, or the nearest
// section around it, was written.
func (l *loader) report(path, text, hint string) {
	p := Problem{File: l.file, Setting: path, Text: text, Hint: hint}
	for at := path; at != ""; at = parent(at) {
		if where, ok := l.places[at]; ok {
			p.Line, p.Column, p.Flag = where.line, where.column, where.flag
			if where.shared {
				p.File = ""
			}
			break
		}
	}
	l.problems = append(l.problems, p)
}

// lastName returns the name of a setting in its section, parent the section.
func lastName(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

func parent(path string) string {
	return path[:max(strings.LastIndexByte(path, '.'), 0)]
}

// fail is report for a value that could not be read.
func (l *loader) fail(path string, f *fault) {
	if l.failed == nil {
		l.failed = map[string]bool{}
	}
	l.failed[path] = true
	l.report(path, f.problem, f.hint)
}

func (l *loader) override(f Override) {
	s := find(settings, f.Path)
	if s == nil {
		panic("config: a flag for the unknown setting " + f.Path)
	}
	l.places[f.Path] = place{flag: f.Flag}
	v := s.at(&l.config)
	var wrong *fault
	if many, ok := v.(list); ok {
		wrong = many.setList(f.Values)
	} else {
		wrong = v.set(strings.Join(f.Values, ","))
	}
	if wrong != nil {
		l.fail(f.Path, wrong)
	}
}

// redisNames maps parameters of Redis's configuration file to settings, beside
// those that CONFIG SET changes.
var redisNames = map[string]string{
	"port": "server.listen", "bind": "server.listen", "unixsocket": "server.unix", "unixsocketperm": "server.unix_mode",
	"io-threads": "server.loops", "databases": "memory.databases", "enable-debug-command": "auth.debug",
	"protected-mode": "auth.insecure", "loglevel": "log.level",
}

// unknown reports a name that is no setting. place is where it stands, section
// the path of the section it stands in, names what might stand there.
func (l *loader) unknown(at place, section, name string, names []string) {
	path := join(section, name)
	if l.tolerated != nil && l.tolerated(path) {
		return
	}
	l.places[path] = at
	l.report(path, "there is no such setting", l.remedy(section, name, names))
}

func (l *loader) remedy(section, name string, names []string) string {
	near, path := Nearest(name, names), elsewhere(name)
	switch {
	case path != "" && plainSpelling(near) != plainSpelling(name):
		if lastName(path) == name {
			return "write it in the section " + parent(path)
		}
		return fmt.Sprintf("here it is called %s, in the section %s", lastName(path), parent(path))
	case near != "":
		return "did you mean " + near + "?"
	case section == "":
		return "the sections are " + strings.Join(names, ", ")
	}
	return "the settings of " + section + " are " + strings.Join(names, ", ")
}

// elsewhere returns the path of the setting that has this name in another
// section, or in Redis; empty when there is none.
func elsewhere(name string) string {
	if path := redisNames[strings.ToLower(name)]; path != "" {
		return path
	}
	for _, s := range settings {
		if s.redis != "" && strings.EqualFold(s.redis, name) {
			return s.path
		}
	}
	for _, s := range settings {
		if lastName(s.path) == plainSpelling(name) {
			return s.path
		}
	}
	return ""
}

func join(section, name string) string {
	if section == "" {
		return name
	}
	return section + "." + name
}

// sortedNames returns the keys of a map in order.
func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
