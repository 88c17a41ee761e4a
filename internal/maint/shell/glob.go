package shell

import (
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/tree"
)

// glob returns the sorted names of the files that a pattern matches (XCU 2.14.3),
// none where there is no file.
func (r *run) glob(text string) ([]string, error) {
	found := []string{""}
	for rest := text; rest != ""; {
		slashes := len(rest) - len(strings.TrimLeft(rest, "/"))
		if slashes > 0 {
			for i := range found {
				found[i] += rest[:slashes]
			}
			rest = rest[slashes:]
			continue
		}
		part := rest
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			part = rest[:i]
		}
		rest = rest[len(part):]
		var err error
		if found, err = r.globPart(found, r.pattern(strings.TrimSuffix(part, `\`)), rest != ""); err != nil {
			return nil, err
		}
	}
	if len(found) == 1 && found[0] == "" {
		return nil, nil
	}
	slices.Sort(found)
	return found, nil
}

// globPart returns the names in each of the directories dirs that a pattern matches.
// within says that more follows, so that they must be directories.
func (r *run) globPart(dirs []string, p *pattern, within bool) ([]string, error) {
	var found []string
	size := 0
	for _, dir := range dirs {
		names := []string{p.literal}
		if !p.plain {
			at := dir
			if at == "" {
				at = "."
			}
			var err error
			if names, err = r.shell.FS.ReadDir(r.path(at)); err != nil {
				continue // no directory, or none that is there
			}
			if !r.bash {
				names = append([]string{".", ".."}, names...) // ".*" means them too
			}
		}
		for _, name := range names {
			if err := r.work(512); err != nil {
				return nil, err
			}
			ok, err := r.globMatch(p, name)
			if err != nil {
				return nil, err
			}
			if !ok || !r.there(dir+name, within) {
				continue
			}
			if size += len(dir) + len(name) + 16; size > maxValue {
				return nil, &LimitError{"names that a pattern matches"}
			}
			found = append(found, dir+name)
		}
	}
	return found, nil
}

// globMatch is match for a name: a dot at its beginning matches a dot only.
func (r *run) globMatch(p *pattern, name string) (bool, error) {
	if strings.HasPrefix(name, ".") && !p.plain && !r.opts.dotglob {
		if t := p.tokens[0]; t.kind != oneChar || t.char != '.' {
			return false, nil
		}
	}
	return r.match(p, name)
}

// there reports whether a name that a pattern gave leads to anything.
func (r *run) there(name string, dir bool) bool {
	if dir {
		n, err := r.shell.FS.Stat(r.path(name))
		return err == nil && n.Type == tree.Dir
	}
	_, err := r.shell.FS.Lstat(r.path(name))
	return err == nil
}
