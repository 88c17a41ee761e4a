package convert

import (
	"cmp"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/hardpan/hardpan/internal/audit/dockerfile"
)

// final converts the stage that becomes the image, with those that it stands on.
func (c *converter) final() {
	f := c.file.Final()
	base := f.Base()
	lang, ref, known := languageOf(base.Image)
	b := &stageWork{c: c, out: stage{name: c.free("app")}, on: f, lang: lang, known: known}
	if known {
		c.otherVersion(base, lang, ref)
		c.basePackages(lang, ref)
		for _, p := range lang.build {
			b.out.packages = append(b.out.packages, item{text: p})
		}
	} else {
		c.spec.From = c.imageOf(base)
		b.out.from = c.spec.From
		c.note(base.Line, "base image", "%s is kept as the base, since no packages of Debian are known for it", base.Image)
	}
	c.accounts(f)
	c.spec.Environment = environment(f.Env)
	c.spec.WorkDir = f.Dir
	w := &imageWork{c: c, b: b, f: f, runs: c.runsCommands()}
	for _, s := range c.file.Chain() {
		for _, step := range s.Steps {
			w.step(step)
		}
	}
	w.finish()
	c.tools(f)
	c.adapt()
	c.describe(f)
	if c.ran {
		// Commands run programs of the image's platform, and another one's need qemu-user.
		c.spec.Platforms = []string{cmp.Or(literal(f.Platform), "linux/amd64")}
	}
}

func literal(platform string) string {
	if strings.Contains(platform, "$") {
		return ""
	}
	return platform
}

// free returns a name that no stage has.
func (c *converter) free(name string) string {
	for slices.ContainsFunc(c.spec.Stages, func(s stage) bool { return s.name == name }) {
		name += "-image"
	}
	return name
}

func (c *converter) basePackages(lang language, ref reference) {
	if ref.name != "scratch" {
		for _, p := range basics {
			c.spec.Packages = append(c.spec.Packages, item{text: p})
		}
	}
	for _, p := range lang.runtime {
		c.spec.Packages = append(c.spec.Packages, item{text: p})
	}
	if lang.python {
		c.spec.Paths = append(c.spec.Paths, pathEntry{path: "/usr/bin/python", kind: "symlink", target: "python3"})
	}
}

// runsCommands reports whether the image's own steps run what only a stage can.
func (c *converter) runsCommands() bool {
	for _, s := range c.file.Chain() {
		for _, step := range s.Steps {
			if step.Name != "RUN" || step.OnBuild {
				continue
			}
			if step.Script.Unread != "" || step.Script.Exec != nil || slices.ContainsFunc(step.Script.Statements, func(st *dockerfile.Statement) bool { return statementKind(st) == runs && len(st.Commands) > 0 }) {
				return true
			}
		}
	}
	return false
}

// imageWork converts the steps of the image. What they copy is copied; where they run
// commands, a stage stands for the image, and what that leaves in the application's
// directories is copied out of it.
type imageWork struct {
	c     *converter
	b     *stageWork
	f     *dockerfile.Stage
	runs  bool
	roots []string // directories of the application that come out of the stage
	files []copyOf // single files of the context
	from  []copied // out of other stages
}

type copyOf struct {
	source, dest string
	line         int
}

func (w *imageWork) step(step *dockerfile.Step) {
	if step.OnBuild {
		w.c.note(step.Line, "ONBUILD", "%s is not carried over: a spec does nothing in the builds of others", step.Text)
		return
	}
	switch cmd := step.Command.(type) {
	case *instructions.RunCommand:
		w.packages(step)
		w.links(step)
		if w.runs {
			w.b.run(step, cmd, true)
		}
	case *instructions.CopyCommand:
		w.copy(step, cmd)
	case *instructions.AddCommand:
		before := len(w.b.out.fetch) + len(w.b.out.run)
		w.b.add(step, cmd)
		if to := at(step.Dir, cmd.DestPath); len(w.b.out.files) > 0 || len(w.b.out.fetch)+len(w.b.out.run) > before {
			w.root(strings.TrimSuffix(to, "/"))
		}
	case *instructions.WorkdirCommand:
		if w.runs && !isSystem(cmd.Path) && strings.HasPrefix(step.Stage.Dir, "/") {
			w.root(at(step.Dir, cmd.Path))
		}
	case *instructions.MaintainerCommand:
		w.c.spec.Labels = set(w.c.spec.Labels, "org.opencontainers.image.authors", cmd.Maintainer)
	}
}

// isSystem reports whether a directory is one that packages fill.
func isSystem(p string) bool {
	p = path.Clean("/" + p)
	return p == "/" || slices.ContainsFunc([]string{"/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/root", "/run", "/sbin", "/sys", "/tmp", "/usr", "/var"}, func(s string) bool { return p == s || strings.HasPrefix(p, s+"/") })
}

func (w *imageWork) root(p string) {
	if p == "/" || p == "" || slices.Contains(w.roots, p) {
		return
	}
	w.roots = append(w.roots, p)
}

// packages takes those that apt-get installs into the image.
func (w *imageWork) packages(step *dockerfile.Step) {
	for _, cmd := range step.Commands() {
		p, ok := cmd.Packaging()
		if !ok || p.Manager != "apt" {
			continue
		}
		for _, pkg := range p.Packages {
			switch {
			case p.Verb == dockerfile.Install && w.c.spec.From != "":
				w.c.note(cmd.Line, "package", "%s: packages are not added to a base that is no Debian of ours", pkg.Name)
			case p.Verb == dockerfile.Install:
				if i, ok := w.c.request(pkg, cmd.Line); ok {
					add(&w.c.spec.Packages, i)
				}
			case p.Verb == dockerfile.Remove:
				w.c.spec.Packages = slices.DeleteFunc(w.c.spec.Packages, func(i item) bool {
					name, _, _ := strings.Cut(i.text, "=")
					return name == pkg.Name
				})
			}
		}
	}
}

// links takes symbolic links.
func (w *imageWork) links(step *dockerfile.Step) {
	for _, cmd := range step.Commands() {
		words := cmd.Operands()
		if cmd.Name != "ln" || kindOf(cmd) != prepares || len(words) != 2 || !strings.HasPrefix(words[1], "/") {
			continue
		}
		if strings.HasPrefix(words[1], "/dev/") || words[1] == "/bin/sh" {
			continue
		}
		w.c.spec.Paths = append(w.c.spec.Paths, pathEntry{path: path.Clean(words[1]), kind: "symlink", target: words[0]})
	}
}

func (w *imageWork) copy(step *dockerfile.Step, cmd *instructions.CopyCommand) {
	dest := at(step.Dir, cmd.DestPath)
	if cmd.From != "" {
		for _, source := range cmd.SourcePaths {
			if from, ok := w.c.fromStage(cmd.From, w.f, step.Line); ok {
				w.from = append(w.from, copied{from: from, source: path.Join("/", source), path: w.c.placed(step, cmd, source)})
			}
		}
		if w.runs {
			w.b.copy(step, cmd)
		}
		return
	}
	into := into(step, cmd.SourcesAndDest)
	for _, source := range cmd.SourcePaths {
		local := strings.TrimPrefix(path.Clean("/"+source), "/")
		info, err := os.Stat(filepath.Join(w.c.options.Context, filepath.FromSlash(cmp.Or(local, "."))))
		if err == nil && info.Mode().IsRegular() {
			to := dest
			if into {
				to = path.Join(dest, path.Base(local))
			}
			w.files = append(w.files, copyOf{local, to, step.Line})
			if w.runs {
				w.b.file(step, source, dest, into)
			}
			continue
		}
		w.b.file(step, source, dest, into)
		w.root(dest)
	}
	if len(cmd.SourceContents) > 0 {
		for _, content := range cmd.SourceContents {
			to := dest
			if into {
				to = path.Join(dest, content.Path)
			}
			w.c.spec.Paths = append(w.c.spec.Paths, pathEntry{path: to, kind: "file", content: content.Data, owner: w.owner(to), mode: w.mode(to)})
		}
	}
}

// finish writes what is copied and which permissions it gets.
func (w *imageWork) finish() {
	w.outermost()
	if w.runs && len(w.roots) == 0 && !w.b.own {
		w.runs = false
		w.notRun()
	}
	if w.runs || len(w.roots) > 0 {
		if !w.runs {
			w.b.out.name, w.b.out.packages = w.c.free("files"), []item{{text: "base-files"}}
			w.b.out.environment = nil
			w.b.on = &dockerfile.Stage{Env: dockerfile.NoEnv(), Args: dockerfile.NoEnv(), Line: w.f.Line}
		}
		w.b.finish()
		for _, root := range w.roots {
			w.c.spec.Copy = append(w.c.spec.Copy, w.c.withoutTools(copied{from: w.b.out.name, source: root, path: root, owner: w.owner(root)}))
		}
		if w.b.own {
			w.c.spec.Copy = append(w.c.spec.Copy, w.c.withoutTools(copied{from: w.b.out.name, source: ownVenv, path: ownVenv, owner: &owner{}}))
			w.c.spec.Environment = firstInPath(w.c.spec.Environment, ownVenv+"/bin")
		}
		if w.runs {
			w.c.note(w.f.Line, "RUN", "what commands change outside of %s is not carried over", strings.Join(append(w.roots, w.own()...), ", "))
		}
	}
	w.fromStages()
	for _, f := range w.files {
		if w.covered(f.dest) && w.runs {
			continue
		}
		w.c.spec.Paths = append(w.c.spec.Paths, pathEntry{path: f.dest, kind: "file", source: f.source, owner: w.owner(f.dest), mode: cmp.Or(w.mode(f.dest), w.c.executable(f.source))})
	}
	w.directories()
}

// notRun notes the commands of the image that no stage runs, since nothing of what they
// leave would be copied.
func (w *imageWork) notRun() {
	for _, s := range w.c.file.Chain() {
		for _, step := range s.Steps {
			switch {
			case step.Name != "RUN" || step.OnBuild:
			case step.Script.Unread != "" || step.Script.Exec != nil:
				w.c.note(step.Line, "RUN", "%s is not carried over: the file names no directory of the application that it could change", firstLine(quoteWords(step.Script)))
			default:
				for _, st := range step.Script.Statements {
					if len(st.Commands) > 0 && statementKind(st) == runs {
						w.c.note(st.Line, "RUN", "%s is not carried over: the file names no directory of the application that it could change", firstLine(st.Text))
					}
				}
			}
		}
	}
}

func (w *imageWork) own() []string {
	if w.b.own {
		return []string{ownVenv}
	}
	return nil
}

// executable returns the mode of a file of the context that may be executed.
func (c *converter) executable(source string) string {
	if info, err := os.Stat(filepath.Join(c.options.Context, filepath.FromSlash(source))); err == nil && info.Mode()&0o100 != 0 {
		return "0755"
	}
	return ""
}

// outermost leaves only those roots that are in no other.
func (w *imageWork) outermost() {
	slices.Sort(w.roots)
	var out []string
	for _, r := range w.roots {
		if !slices.ContainsFunc(out, func(o string) bool { return strings.HasPrefix(r, o+"/") }) {
			out = append(out, r)
		}
	}
	w.roots = out
}

func (w *imageWork) covered(p string) bool {
	return slices.ContainsFunc(w.roots, func(r string) bool { return p == r || strings.HasPrefix(p, r+"/") })
}

// fromStages writes the copies out of build stages. Python packages that the Dockerfile
// takes out of the system's directories are in a virtual environment here.
func (w *imageWork) fromStages() {
	done := map[string]bool{}
	for _, entry := range w.from {
		if w.runs && w.covered(entry.path) {
			continue
		}
		if w.c.movedToVenv(entry) {
			if !done[entry.from] {
				done[entry.from] = true
				w.c.spec.Copy = append(w.c.spec.Copy, w.c.withoutTools(copied{from: entry.from, source: ownVenv, path: ownVenv, owner: &owner{}}))
				w.c.spec.Environment = firstInPath(w.c.spec.Environment, ownVenv+"/bin")
				w.c.note(w.f.Line, "Python packages", "they are installed into %s, since Debian keeps the system's directories for its own ones", ownVenv)
			}
			continue
		}
		entry.owner = cmp.Or(w.owner(entry.path), &owner{})
		entry.mode = ""
		w.c.spec.Copy = append(w.c.spec.Copy, w.c.withoutTools(entry))
	}
}

// movedToVenv reports whether what is copied is where pip would have put packages.
func (c *converter) movedToVenv(entry copied) bool {
	has := slices.ContainsFunc(c.spec.Stages, func(s stage) bool {
		return s.name == entry.from && len(s.run) > 0 && s.run[0] == "python3 -m venv "+ownVenv
	})
	if !has {
		return false
	}
	p := entry.source
	return p == "/usr/local" || p == "/usr/local/bin" || strings.HasPrefix(p, "/usr/local/lib/python") || p == "/usr/local/lib" || strings.HasPrefix(p, "/root/.local") || strings.HasSuffix(p, "/site-packages") || p == "/install" || slices.Contains(c.prefixes, p)
}

// withoutTools leaves what only builds need out of a virtual environment that is copied.
func (c *converter) withoutTools(entry copied) copied {
	for _, venv := range c.venvs {
		rel, ok := strings.CutPrefix(venv, strings.TrimSuffix(entry.source, "/"))
		if !ok || rel != "" && rel[0] != '/' {
			continue
		}
		in := strings.TrimPrefix(rel+"/", "/")
		for _, tool := range []string{"bin/activate*", "bin/Activate*", "bin/pip*", "include", "include/**", "lib/python3*/site-packages/pip/**", "lib/python3*/site-packages/pip-*/**", "lib/python3*/site-packages/pip", "lib/python3*/site-packages/pip-*"} {
			entry.exclude = append(entry.exclude, in+tool)
		}
		return entry
	}
	return entry
}

// owner returns the numbers of who owns a path, nil for root.
func (w *imageWork) owner(p string) *owner {
	n := w.f.Tree.Get(p)
	if n == nil || n.Owner == "" && n.Group == "" {
		return nil
	}
	uid, gid := w.c.uid(n.Owner), w.c.gid(n.Group, n.Owner)
	if uid == 0 && gid == 0 {
		return nil
	}
	return &owner{uid, gid}
}

func (w *imageWork) mode(p string) string {
	if n := w.f.Tree.Get(p); n != nil && n.ModeKnown {
		return fmt.Sprintf("%04o", n.Mode)
	}
	return ""
}
