package generate

import (
	"context"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// hwdbDirs are where the sources of the hardware database are, the most important
// first (hwdb(7)).
var hwdbDirs = []string{"/etc/udev/hwdb.d", "/usr/local/lib/udev/hwdb.d", "/usr/lib/udev/hwdb.d"}

// systemdHwdb is systemd-hwdb(8), of which update is known.
func (c Config) systemdHwdb(_ context.Context, p *shell.Proc) (int, error) {
	to, updates := "/etc/udev/hwdb.bin", false
	for _, a := range p.Args[1:] {
		switch a {
		case "--usr":
			to = "/usr/lib/udev/hwdb.bin"
		case "update":
			updates = true
		default:
			return 0, shell.Unsupported("systemd-hwdb %s", a)
		}
	}
	if !updates {
		return 0, shell.Unsupported("systemd-hwdb without update")
	}
	files := map[string]string{} // a file hides those of its name in the directories after its own
	for _, dir := range slices.Backward(hwdbDirs) {
		names, err := p.FS.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, name := range names {
			if strings.HasSuffix(name, ".hwdb") {
				files[name] = dir + "/" + name
			}
		}
	}
	trie := newHwdbTrie()
	var used []string
	for i, name := range slices.Sorted(maps.Keys(files)) {
		text, err := p.FS.ReadFile(files[name])
		if err != nil {
			return fail(p, err)
		}
		f := hwdbFile{name: files[name], priority: uint16(i + 1), trie: trie}
		f.read(string(text))
		used = append(used, files[name])
	}
	from(p, used...)
	if err := p.FS.MkdirAll(path.Dir(to), 0o755); err != nil {
		return fail(p, err)
	}
	if err := p.FS.RemoveAll(to); err != nil { // a new file comes into its place
		return fail(p, err)
	}
	if err := p.FS.WriteFile(to, trie.encode(c.systemdVersion()), 0o444); err != nil {
		return fail(p, err)
	}
	return 0, nil
}

// systemdVersion returns the first number of systemd's version, 0 where that is
// not known.
func (c Config) systemdVersion() (n uint64) {
	for _, d := range c.Systemd {
		if d < '0' || d > '9' {
			break
		}
		n = n*10 + uint64(d-'0')
	}
	return n
}

// hwdbFile is a source that is being read.
type hwdbFile struct {
	name     string
	priority uint16
	trie     *hwdbTrie
}

// read reads records: lines to match, then lines with a property each, indented by
// a space (systemd's src/shared/hwdb-util.c, import_file). What is neither is left
// out, as there.
func (f *hwdbFile) read(text string) {
	var matches []string
	var properties bool // of the present record were seen
	number := uint32(0)
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimRight(line, " \t\n\r\v\f")
		switch {
		case line == "":
			matches, properties = nil, false
		case line[0] != ' ' && properties:
			matches, properties = nil, false
		case line[0] != ' ':
			matches = append(matches, line)
		case len(matches) > 0:
			properties = true
			f.property(matches, line, number)
		}
	}
}

// property gives all matches a property: " KEY=VALUE".
func (f *hwdbFile) property(matches []string, line string, number uint32) {
	key, value, ok := strings.Cut(line, "=")
	for len(key) > 1 && isBlank(key[0]) && isBlank(key[1]) {
		key = key[1:]
	}
	if !ok || len(key) < 2 {
		return
	}
	for _, m := range matches {
		f.trie.insert(m, hwdbProperty{key, value, f.name, number, f.priority})
	}
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }
