package specs

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// setDefaults fills in what the spec leaves out.
func (s *Spec) setDefaults() {
	if len(s.Platforms) == 0 {
		s.Platforms = []Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}}
	}
	setDefault(&s.Hardening.Profile, ProfileStrict)
	setDefault(&s.Layering.Budget, 60)
	setDefault(&s.Layering.Compression, CompressionGzip)
	for i := range s.Accounts.Users {
		u := &s.Accounts.Users[i]
		setDefault(&u.Home, "/nonexistent")
		setDefault(&u.Shell, "/usr/sbin/nologin")
		if !s.says("accounts", "users", i, "gid") {
			u.GID = u.UID
		}
	}
	for i := range s.Paths {
		s.Paths[i].setDefaults()
	}
	for i := range s.Stages {
		s.Stages[i].setDefaults()
	}
	for i := range s.Tests {
		t := &s.Tests[i]
		setDefault(&t.Timeout, Duration(30*time.Second))
		setDefault(&t.Memory, 2<<30)
		setDefault(&t.Processes, 1024)
	}
}

func setDefault[T comparable](v *T, value T) {
	if *v == *new(T) {
		*v = value
	}
}

func (p *Path) setDefaults() {
	switch p.Type {
	case PathPermissions, PathHardlink:
		return
	case PathDirectory:
		p.Mode = orNew(p.Mode, 0o755)
	case PathFile, PathEmptyFile:
		p.Mode = orNew(p.Mode, 0o644)
	}
	p.UID, p.GID = orNew(p.UID, 0), orNew(p.GID, 0)
}

func (s *Stage) setDefaults() {
	setDefault(&s.Network, NetworkNone)
	setDefault(&s.Platform, PlatformTarget)
	setDefault(&s.WorkDir, "/")
	for i := range s.Files {
		s.Files[i].Mode = orNew(s.Files[i].Mode, 0o644)
	}
	for i := range s.Fetch {
		s.Fetch[i].Mode = orNew(s.Fetch[i].Mode, 0o644)
	}
}

func orNew[T any](p *T, value T) *T {
	if p == nil {
		return &value
	}
	return p
}

// validator checks what the values of a spec say of each other, once each of them
// is right by itself.
type validator struct {
	*problems
	s       *Spec
	root    *node
	unsound map[string]bool
}

func (v *validator) validate() {
	checks := []struct {
		check func()
		reads []string // top-level keys
	}{
		{v.tag, []string{"version", "tag-suffix"}},
		{v.accounts, []string{"accounts"}},
		{v.paths, []string{"paths"}},
		{v.contents, []string{"contents"}},
		{v.stages, []string{"stages"}},
		{v.copies, []string{"stages", "copy"}},
		{v.dates, []string{"dates"}},
		{v.base, []string{"from", "flatten"}},
		{v.healthcheck, []string{"healthcheck"}},
	}
	for _, c := range checks {
		if v.sound(c.reads) {
			c.check()
		}
	}
}

// sound reports whether what the keys hold was read whole, so that nothing that is
// found wrong follows from an error already reported.
func (v *validator) sound(keys []string) bool {
	for _, k := range keys {
		if v.unsound[k] || v.root.damaged && v.root.get(k) == nil {
			return false
		}
	}
	return true
}

func (v *validator) tag() {
	if tag := v.s.Tag(); len(tag) > formats["tag"].max {
		v.add(v.s.Position("version"), "", "version: tag %s is longer than %d bytes", quote(tag), formats["tag"].max)
	}
}

func (v *validator) dates() {
	d := v.s.Dates
	if d.Release != "" && d.EndOfLife != "" && d.EndOfLife < d.Release {
		v.add(v.s.Position("dates", "end-of-life"), "", "dates.end-of-life: found %s, expected a day after the release, %s", d.EndOfLife, d.Release)
	}
}

func (v *validator) base() {
	if v.s.Flatten && v.s.From == "" {
		v.add(v.s.Position("flatten"), "say with from which image is rewritten, or remove flatten", "flatten: found true, expected an image in from")
	}
}

func (v *validator) contents() { v.repositories(v.s.Contents, "contents") }

func (v *validator) repositories(c Contents, where ...any) {
	for i, r := range c.Repositories {
		at := append(where[:len(where):len(where)], "repositories", i)
		path := joinPath(at)
		if strings.Contains(r.URI, "?") {
			v.add(v.s.Position(append(at, "uri")...), "", "%s.uri: found a query, expected an address without", path)
		}
		switch flat := strings.HasSuffix(r.Suite, "/"); {
		case flat && len(r.Components) > 0:
			v.add(v.s.Position(append(at, "components")...), "", "%s.components: found components, expected none for the flat archive %q", path, r.Suite)
		case !flat && len(r.Components) == 0:
			v.add(v.s.Position(at...), "add components: [main]", "%s: components is missing", path)
		}
	}
}

func (v *validator) stages() {
	var earlier []string
	for i := range v.s.Stages {
		v.stage(i, earlier)
		earlier = append(earlier, v.s.Stages[i].Name)
	}
}

// stage checks stage i, which the earlier ones precede.
func (v *validator) stage(i int, earlier []string) {
	s := &v.s.Stages[i]
	path := fmt.Sprintf("stages[%d]", i)
	v.repositories(s.Contents, "stages", i, "contents")
	switch image := IsImage(s.From); {
	case image && !s.Contents.empty():
		v.add(v.s.Position("stages", i, "contents"), "leave out from, or install the packages in the image that it names",
			"%s.contents: found contents, expected none in a stage that starts from an image", path)
	case s.From != "" && !image && !slices.Contains(earlier, s.From):
		hint, guess := "", didYouMean(s.From, earlier)
		if guess == "" && v.s.Stage(s.From) == nil {
			hint = fmt.Sprintf("an image has a tag or a digest: %s:TAG, %s@sha256:...", s.From, s.From)
		}
		v.add(v.s.Position("stages", i, "from"), hint, "%s.from: %q is not an earlier stage%s", path, s.From, guess)
	case s.From != "" && !image && !s.Contents.empty():
		v.add(v.s.Position("stages", i, "contents"), fmt.Sprintf("add the packages to stage %q", s.From),
			"%s.contents: a stage that stands on another has that one's packages and no others", path)
	}
	if s.Contents.Bytecode {
		v.add(v.s.Position("stages", i, "contents", "bytecode"), "write bytecode: true into the image's contents, which compiles what is copied, too",
			"%s.contents.bytecode: only the image's modules are compiled", path)
	}
	for j, secret := range s.Secrets {
		if (secret.Env == "") == (secret.File == "") {
			v.add(v.s.Position("stages", i, "secrets", j), "", "%s.secrets[%d]: expected either env or file", path, j)
		}
	}
	for j, c := range s.Copy {
		if !slices.Contains(earlier, c.From) {
			v.add(v.s.Position("stages", i, "copy", j, "from"), "", "%s.copy[%d].from: %q is not an earlier stage%s", path, j, c.From, didYouMean(c.From, earlier))
		}
		if c.Strip {
			v.add(v.s.Position("stages", i, "copy", j, "strip"), "", "%s.copy[%d].strip: only what is copied into the image is stripped", path, j)
		}
	}
}

func (v *validator) copies() {
	var names []string
	for _, s := range v.s.Stages {
		names = append(names, s.Name)
	}
	for i, c := range v.s.Copy {
		if !slices.Contains(names, c.From) {
			v.add(v.s.Position("copy", i, "from"), "", "copy[%d].from: there is no stage %q%s", i, c.From, didYouMean(c.From, names))
		}
	}
}

func (v *validator) paths() {
	types := map[string]string{}
	for _, p := range v.s.Paths {
		types[p.Path] = p.Type
	}
	for i, p := range v.s.Paths {
		v.pathKeys(i, p)
		if p.Path == "/" && p.Type != PathPermissions {
			v.add(v.s.Position("paths", i, "path"), "", "paths[%d].path: \"/\" can only have type permissions", i)
		}
		for dir := path.Dir(p.Path); dir != "/"; dir = path.Dir(dir) {
			if t, ok := types[dir]; ok && t != PathDirectory && t != PathPermissions {
				v.add(v.s.Position("paths", i, "path"), "", "paths[%d].path: %q lies below %q, which has type %s", i, p.Path, dir, t)
			}
		}
	}
}

// pathKeys checks that a path has the keys that its type needs, and no others.
func (v *validator) pathKeys(i int, p Path) {
	const no, may, must = 0, 1, 2
	keys := []string{"mode", "uid", "gid", "content", "source", "target", "recursive"}
	needs := map[string][7]int{
		PathDirectory:   {may, may, may, no, no, no, no},
		PathEmptyFile:   {may, may, may, no, no, no, no},
		PathFile:        {may, may, may, may, may, no, no},
		PathSymlink:     {no, may, may, no, no, must, no},
		PathHardlink:    {no, no, no, no, no, must, no},
		PathPermissions: {may, may, may, no, no, no, may},
	}[p.Type]
	at := v.s.Position("paths", i)
	for k, key := range keys {
		switch says := v.s.says("paths", i, key); {
		case says && needs[k] == no:
			v.add(v.s.Position("paths", i, key), "", "paths[%d]: type %s has no %s", i, p.Type, key)
		case !says && needs[k] == must:
			v.add(at, "", "paths[%d]: type %s needs %s", i, p.Type, key)
		}
	}
	switch {
	case p.Type == PathFile && (p.Content == "") == (p.Source == ""):
		v.add(at, "for a file of no bytes write type: empty-file", "paths[%d]: type file needs either content or source", i)
	case p.Target != "" && linked(p) == p.Path:
		v.add(v.s.Position("paths", i, "target"), "", "paths[%d].target: %q is a link to itself", i, p.Path)
	case p.Type == PathHardlink && p.Target != "":
		v.checkFormat(formats["path"], p.Target, v.s.Position("paths", i, "target"), fmt.Sprintf("paths[%d].target", i))
	case p.Type == PathPermissions && p.Mode == nil && p.UID == nil && p.GID == nil:
		v.add(at, "", "paths[%d]: type permissions needs mode, uid or gid", i)
	}
}

// linked returns the path that a link's target is, as written.
func linked(p Path) string {
	if path.IsAbs(p.Target) {
		return path.Clean(p.Target)
	}
	return path.Join(path.Dir(p.Path), p.Target)
}
