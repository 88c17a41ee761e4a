package convert

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/hardpan/hardpan/internal/audit/dockerfile"
	"github.com/hardpan/hardpan/internal/harden"
)

// stages converts the stages that something is copied from, and those they stand on.
func (c *converter) stages() {
	wanted := map[*dockerfile.Stage]bool{}
	var want func(s *dockerfile.Stage)
	want = func(s *dockerfile.Stage) {
		if s == nil || wanted[s] {
			return
		}
		wanted[s] = true
		want(s.Parent)
		c.sourcesOf(s, want)
	}
	for _, s := range c.file.Chain() {
		c.sourcesOf(s, want)
	}
	for _, s := range c.file.Stages {
		switch {
		case wanted[s]:
			c.names[s] = c.stageName(s)
			b := c.newBuilder(c.names[s], s)
			if s.Parent != nil {
				b.out.from = c.names[s.Parent]
			}
			b.steps(s.Steps)
			b.finish()
		case !c.file.Reaches(s):
			c.note(s.Line, "stage", "stage %s is not carried over: nothing is copied from it", s.Label())
		}
	}
}

// sourcesOf calls want with each stage that s copies from.
func (c *converter) sourcesOf(s *dockerfile.Stage, want func(*dockerfile.Stage)) {
	for _, step := range s.Steps {
		switch cmd := step.Command.(type) {
		case *instructions.CopyCommand:
			if cmd.From != "" {
				want(c.file.Copied(cmd.From, s))
			}
		case *instructions.RunCommand:
			for _, m := range instructions.GetMounts(cmd) {
				if m.From != "" {
					want(c.file.Copied(m.From, s))
				}
			}
		}
	}
}

func (c *converter) stageName(s *dockerfile.Stage) string {
	name := slug(s.Name)
	if name == "" {
		name = fmt.Sprintf("stage-%d", s.Index)
	}
	for slices.ContainsFunc(c.spec.Stages, func(other stage) bool { return other.name == name }) {
		name += "-" + fmt.Sprint(s.Index)
	}
	return name
}

// stageWork makes one stage of the spec.
type stageWork struct {
	c     *converter
	out   stage
	on    *dockerfile.Stage
	lang  language
	known bool // the base is packages
	venvs []string
	own   bool     // Python packages go to ownVenv
	moved bool     // those of another stage are copied to ownVenv
	index bool     // pip takes packages from beside the Dockerfile only
	steal []string // prefixes that pip was told
}

func (c *converter) newBuilder(name string, s *dockerfile.Stage) *stageWork {
	b := &stageWork{c: c, out: stage{name: name}, on: s}
	base := s.Base()
	lang, ref, known := languageOf(base.Image)
	b.lang, b.known = lang, known
	if s.Parent != nil {
		return b
	}
	if !known {
		b.out.from = c.imageOf(base)
		return b
	}
	c.otherVersion(base, lang, ref)
	for _, p := range lang.build {
		b.out.packages = append(b.out.packages, item{text: p})
	}
	return b
}

// imageOf returns the reference of a base that no packages are known for.
func (c *converter) imageOf(s *dockerfile.Stage) string {
	r := parseReference(s.Image)
	name := r.name
	if !strings.Contains(strings.Split(name, "/")[0], ".") {
		if !strings.Contains(name, "/") {
			name = "library/" + name
		}
		name = "docker.io/" + name
	}
	switch {
	case strings.Contains(s.Image, "$"):
		c.note(s.Line, "base image", "%s is known only when the image is built: write it into the spec", s.Written)
	case r.digest != "":
		return name + "@" + r.digest
	default:
		c.note(s.Line, "base image", "%s is not pinned by digest; the lock will pin what it is then", s.Image)
	}
	if r.tag == "" {
		r.tag = "latest"
	}
	return name + ":" + strings.ReplaceAll(r.tag, "$", "")
}

// steps converts the steps of a build stage.
func (b *stageWork) steps(steps []*dockerfile.Step) {
	for _, step := range steps {
		if step.OnBuild {
			b.c.note(step.Line, "ONBUILD", "%s is not carried over: a spec does nothing in the builds of others", step.Text)
			continue
		}
		switch cmd := step.Command.(type) {
		case *instructions.CopyCommand:
			b.copy(step, cmd)
		case *instructions.AddCommand:
			b.add(step, cmd)
		case *instructions.RunCommand:
			b.run(step, cmd, false)
		case *instructions.UserCommand:
			b.c.note(step.Line, "USER", "stage %s runs its commands as root of the sandbox, not as %s", b.out.name, cmd.User)
		}
	}
}

// finish completes the stage and takes it into the spec.
func (b *stageWork) finish() {
	b.out.environment = b.c.withoutSecrets(append(environment(b.on.Env), b.out.environment...), " of stage "+b.out.name)
	for _, a := range b.on.Args.All() {
		if isSecret(pair{a.Name, a.Value}) || harden.SecretVariable(a.Name) && !a.Known {
			b.c.note(a.Line, "secret", "the build argument %s looks like a secret and is not carried over: give it to stage %s as one of its secrets:", a.Name, b.out.name)
			continue
		}
		if a.Known && get(b.out.environment, a.Name) == "" {
			b.out.environment = append(b.out.environment, pair{a.Name, a.Value})
		} else if !a.Known && !strings.HasPrefix(a.Name, "TARGET") && !strings.HasPrefix(a.Name, "BUILD") {
			b.c.note(a.Line, "ARG", "%s has no default: add it to the environment of stage %s", a.Name, b.out.name)
		}
	}
	if b.own {
		b.out.run = append([]string{"python3 -m venv " + ownVenv}, b.out.run...)
		b.out.environment = firstInPath(b.out.environment, ownVenv+"/bin")
		b.venvs = append(b.venvs, ownVenv)
	} else if b.moved {
		b.out.environment = firstInPath(b.out.environment, ownVenv+"/bin")
	}
	if b.index && b.lang.python {
		// Without an index nothing provides what a source package is built with, but for
		// Debian's own packages.
		b.out.environment = set(b.out.environment, "PIP_NO_BUILD_ISOLATION", "0")
		b.out.environment = set(b.out.environment, "PYTHONPATH", "/usr/lib/python3/dist-packages")
	}
	if b.out.workDir == "/" {
		b.out.workDir = ""
	}
	b.c.ran = b.c.ran || len(b.out.run) > 0
	b.c.venvs, b.c.prefixes = append(b.c.venvs, b.venvs...), append(b.c.prefixes, b.steal...)
	if len(b.out.packages) == 0 && b.out.from == "" && len(b.out.run) > 0 {
		b.out.packages = []item{{text: "base-files"}}
	}
	if b.out.network {
		b.c.note(b.on.Line, "network", "commands of stage %s reach the network, which the provenance says; take what they fetch by fetch: with a digest, or from beside the spec", b.out.name)
	}
	b.c.spec.Stages = append(b.c.spec.Stages, b.out)
}

// run converts a RUN: packages are the stage's, and the rest is run. In the stage that
// stands for the image itself, what the spec describes is left out.
func (b *stageWork) run(step *dockerfile.Step, cmd *instructions.RunCommand, image bool) {
	b.mounts(step, cmd)
	sc := step.Script
	if sc.Unread != "" || sc.Exec != nil {
		b.out.run = append(b.out.run, b.in(step.Dir, quoteWords(sc)))
		return
	}
	var lines []string
	dir := step.Dir
	for _, st := range sc.Statements {
		for _, command := range st.Commands {
			b.note(command)
		}
		k := statementKind(st)
		packages := slices.ContainsFunc(st.Commands, func(x *dockerfile.Command) bool { p, ok := x.Packaging(); return ok && p.Manager == "apt" })
		switch {
		case packages && b.known && k != runs:
			continue
		case packages && b.known:
			b.c.note(st.Line, "packages", "a command mixes packages with other things and cannot run without apt: %s", firstLine(st.Text))
		case k == nothing, image && k == described:
			continue
		case len(st.Commands) == 1 && st.Commands[0].Name == "set":
			continue
		}
		lines = append(lines, b.rewrite(st.Text))
	}
	if len(lines) == 0 {
		return
	}
	script := strings.Join(lines, "\n")
	if shell := path.Base(firstOf(sc.Shell)); shell == "bash" {
		script = bash(script, strings.Join(sc.Shell, " "))
	}
	b.out.run = append(b.out.run, b.in(dir, script))
}

// bash has a script read by bash instead of the stage's /bin/sh.
func bash(script, shell string) string {
	options := "-eu"
	if strings.Contains(shell, "pipefail") {
		options += "o pipefail"
	}
	if !strings.Contains(shell, "u") {
		options = strings.Replace(options, "u", "", 1)
	}
	return "bash " + options + " <<'END-OF-STEP'\n" + script + "\nEND-OF-STEP"
}

func firstOf(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return words[0]
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

// in has a script run in a directory: the stage's, which the first one says, or another.
func (b *stageWork) in(dir, script string) string {
	switch {
	case dir == "" || dir == "/":
		if b.out.workDir == "" {
			b.out.workDir = "/"
		} else if b.out.workDir != "/" {
			return "cd /\n" + script
		}
	case b.out.workDir == "":
		b.out.workDir = dir
	case b.out.workDir != dir:
		return "mkdir -p " + dir + " && cd " + dir + "\n" + script
	}
	return script
}

func quoteWords(sc *dockerfile.Script) string {
	if sc.Exec == nil {
		return sc.Text
	}
	words := make([]string, len(sc.Exec))
	for i, w := range sc.Exec {
		words[i] = quote(w)
	}
	return strings.Join(words, " ")
}

var plainWord = compiled(`^[A-Za-z0-9_./:=@%+,-]+$`)

func quote(w string) string {
	if plainWord().MatchString(w) {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}

// note keeps what a command means for its stage.
func (b *stageWork) note(cmd *dockerfile.Command) {
	if venv, ok := venvOf(cmd); ok {
		b.venvs = append(b.venvs, venv)
		b.want("python3-venv")
	}
	b.out.network = b.out.network || network(cmd)
	p, ok := cmd.Packaging()
	if !ok {
		return
	}
	switch {
	case p.Manager == "pip" && p.Verb == dockerfile.Install:
		b.index = b.index || cmd.Has("--no-index")
		inVenv := slices.ContainsFunc(b.venvs, func(v string) bool { return strings.Contains(get(environment(b.on.Env), "PATH"), v+"/bin") })
		if b.known && !inVenv && pipOutside(cmd, b.venvs) {
			b.own = true
			b.want("python3-venv")
			if prefix := cmd.Option("--prefix"); prefix != "" {
				b.steal = append(b.steal, prefix)
			}
		}
	case p.Manager == "apt" && b.known:
		b.apt(cmd, p)
	case p.Manager != "apt" && p.Manager != "pip" && (p.Manager == "apk" || p.Manager == "yum" || p.Manager == "dnf" || p.Manager == "zypper"):
		if p.Verb == dockerfile.Install && len(p.Packages) > 0 && b.known {
			b.c.note(cmd.Line, "packages", "%s %s: the spec is of Debian; find Debian's packages for %s", p.Tool, p.Written, names(p.Packages))
		}
	}
}

func names(packages []dockerfile.Package) string {
	var list []string
	for _, p := range packages {
		list = append(list, p.Name)
	}
	return strings.Join(list, " ")
}

// apt takes packages into the stage that its system stands on.
func (b *stageWork) apt(cmd *dockerfile.Command, p dockerfile.Packaging) {
	if p.Verb != dockerfile.Install {
		return
	}
	for _, pkg := range p.Packages {
		if i, ok := b.c.request(pkg, cmd.Line); ok {
			b.wantItem(i)
		}
	}
}

func (b *stageWork) want(name string) { b.wantItem(item{text: name}) }

// wantItem adds a package to the stage, or to the one that it stands on: one that stands
// on another has that one's packages.
func (b *stageWork) wantItem(i item) {
	to := &b.out.packages
	if b.out.from != "" && b.known {
		for at := b.on.Parent; at != nil; at = at.Parent {
			for s := range b.c.spec.Stages {
				if b.c.spec.Stages[s].name == b.c.names[at] && at.Parent == nil {
					to = &b.c.spec.Stages[s].packages
				}
			}
		}
	}
	if !b.known {
		return
	}
	add(to, i)
}

// add adds a package unless the list has it; a pin takes the place of a bare name.
func add(list *[]item, i item) {
	name, _, pinned := strings.Cut(i.text, "=")
	for n := range *list {
		if have, _, _ := strings.Cut((*list)[n].text, "="); have == name {
			if pinned {
				(*list)[n] = i
			}
			return
		}
	}
	*list = append(*list, i)
}

var pipOptions = compiled(`\s--(prefix[= ]\S+|user)\b|\s--(break-system-packages|root-user-action=\S+)`)

// rewrite changes what is otherwise on Debian: Python packages go to a virtual
// environment.
func (b *stageWork) rewrite(text string) string {
	if !strings.ContainsAny(text, "'\"\\#\n") {
		text = strings.Join(strings.Fields(text), " ") // a continued line's indentation
	}
	if b.own && strings.Contains(text, "pip") {
		text = pipOptions().ReplaceAllString(text, "")
		text = strings.NewReplacer("/usr/local/bin/pip", "pip", "/usr/local/bin/python", "python").Replace(text)
	}
	return text
}

// mounts converts those of a RUN.
func (b *stageWork) mounts(step *dockerfile.Step, cmd *instructions.RunCommand) {
	for _, m := range instructions.GetMounts(cmd) {
		switch m.Type {
		case instructions.MountTypeCache:
			if m.Target != "" && !strings.HasPrefix(m.Target, "/var/lib/apt") && !strings.HasPrefix(m.Target, "/var/cache/apt") && !slices.Contains(b.out.caches, m.Target) {
				b.out.caches = append(b.out.caches, m.Target)
			}
		case instructions.MountTypeSecret:
			id := slug(m.CacheID)
			if id == "" {
				id = slug(path.Base(m.Target))
			}
			if id != "" && get(b.out.secrets, id) == "" {
				b.out.secrets = append(b.out.secrets, pair{id, strings.ToUpper(strings.ReplaceAll(id, "-", "_"))})
				b.c.note(step.Line, "secret", "secret %s is taken from the variable %s and found in /run/secrets/%s", id, strings.ToUpper(strings.ReplaceAll(id, "-", "_")), id)
			}
		case instructions.MountTypeBind:
			switch from := b.c.file.Copied(m.From, b.on); {
			case from != nil && b.c.names[from] != "":
				b.out.copy = append(b.out.copy, copied{from: b.c.names[from], source: path.Join("/", m.Source), path: m.Target})
			case m.From == "":
				b.file(step, defaultTo(m.Source, "."), m.Target, false)
			default:
				b.c.note(step.Line, "mount", "a mount of %s is not carried over", m.From)
			}
		case instructions.MountTypeSSH:
			b.c.note(step.Line, "mount", "a mount of the SSH agent is not carried over: a stage has secrets, not agents")
		}
	}
}

func defaultTo(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// copy converts COPY.
func (b *stageWork) copy(step *dockerfile.Step, cmd *instructions.CopyCommand) {
	dest := at(step.Dir, cmd.DestPath)
	if cmd.From != "" {
		for _, source := range cmd.SourcePaths {
			if from, ok := b.c.fromStage(cmd.From, b.on, step.Line); ok {
				entry := copied{from: from, source: path.Join("/", source), path: b.c.placed(step, cmd, source)}
				if b.c.movedToVenv(entry) {
					entry.source, entry.path = ownVenv, ownVenv
					b.moved = true
				}
				b.out.copy = append(b.out.copy, entry)
			}
		}
		return
	}
	for _, source := range cmd.SourcePaths {
		b.file(step, source, dest, into(step, cmd.SourcesAndDest))
	}
	for _, content := range cmd.SourceContents {
		name := dest
		if into(step, cmd.SourcesAndDest) {
			name = path.Join(dest, content.Path)
		}
		b.out.run = append(b.out.run, "mkdir -p "+quote(path.Dir(name))+"\ncat > "+quote(name)+" <<'END-OF-FILE'\n"+strings.TrimSuffix(content.Data, "\n")+"\nEND-OF-FILE")
	}
}

// at returns an absolute path.
func at(dir, p string) string {
	if !strings.HasPrefix(p, "/") {
		p = dir + "/" + p
	}
	return path.Clean("/" + p)
}

// into reports whether COPY or ADD puts files into the directory that it names, and not
// in its place: where it ends with a slash, takes several, or is the step's own directory.
func into(step *dockerfile.Step, paths instructions.SourcesAndDest) bool {
	dest := paths.DestPath
	return strings.HasSuffix(dest, "/") || path.Base(dest) == "." || path.Base(dest) == ".." || len(paths.SourcePaths) > 1 ||
		step.Dir != "" && at(step.Dir, dest) == path.Clean(step.Dir)
}

// placed is where COPY --from puts a source: of a directory what is in it, of a file the
// file. Which one it is only the build knows, and so what looks like a file is one.
func (c *converter) placed(step *dockerfile.Step, cmd *instructions.CopyCommand, source string) string {
	dest := at(step.Dir, cmd.DestPath)
	if into(step, cmd.SourcesAndDest) && !strings.HasSuffix(source, "/") && c.looksLikeFile(c.file.Copied(cmd.From, step.Stage), source, dest) {
		return path.Join(dest, path.Base(source))
	}
	return dest
}

// looksLikeFile reports whether what is copied from a stage into a directory is taken for a
// file: its name has an extension, it lies among programs or goes there, or a command of
// the stage writes it (-o).
func (c *converter) looksLikeFile(from *dockerfile.Stage, source, dest string) bool {
	programs := func(p string) bool { return slices.Contains([]string{"bin", "sbin", "libexec"}, path.Base(p)) }
	if path.Ext(source) != "" || programs(path.Dir(source)) || programs(dest) && !programs(source) {
		return true
	}
	for s := from; s != nil; s = s.Parent {
		for _, step := range s.Steps {
			for _, cmd := range step.Commands() {
				if out := cmd.Option("-o"); out != "" && at(step.Dir, out) == path.Clean("/"+source) {
					return true
				}
			}
		}
	}
	return false
}

// fromStage returns the stage of the spec that COPY --from names; for an image there is
// one made of it.
func (c *converter) fromStage(from string, in *dockerfile.Stage, line int) (string, bool) {
	if s := c.file.Copied(from, in); s != nil {
		return c.names[s], c.names[s] != ""
	}
	if !strings.ContainsAny(from, "/:@") || strings.Contains(from, "$") {
		c.note(line, "COPY --from", "%s is no stage of the file", from)
		return "", false
	}
	image := c.imageOf(&dockerfile.Stage{Image: from, Written: from, Line: line})
	name := "image-" + slug(path.Base(parseReference(from).name))
	if !slices.ContainsFunc(c.spec.Stages, func(s stage) bool { return s.name == name }) {
		c.spec.Stages = append(c.spec.Stages, stage{name: name, from: image})
	}
	return name, true
}

// file puts a path of the context into the stage.
func (b *stageWork) file(step *dockerfile.Step, source, dest string, intoDirectory bool) {
	local := strings.TrimPrefix(path.Clean("/"+source), "/")
	if local == "" {
		local = "."
	}
	info, err := os.Stat(filepath.Join(b.c.options.Context, filepath.FromSlash(local)))
	wild := strings.ContainsAny(local, "*?[")
	switch {
	case err != nil && !wild:
		b.c.note(step.Line, step.Name, "%s is not beside the Dockerfile; the spec names it all the same", source)
		if intoDirectory && !strings.HasSuffix(source, "/") {
			dest = path.Join(dest, path.Base(local))
		}
	case !wild && !info.IsDir() && intoDirectory:
		dest = path.Join(dest, path.Base(local))
	}
	f := file{source: local, path: dest}
	if local == "." {
		f.source = "*"
		f.exclude = []string{".git", ".env", "Dockerfile*", "*.Dockerfile", ".dockerignore", b.c.spec.Name + ".yaml", b.c.spec.Name + ".lock"}
		b.c.note(step.Line, step.Name, "all of the directory is copied but for %s: name what is needed", strings.Join(f.exclude, " "))
	}
	for i, have := range b.out.files {
		if have.path == f.path {
			if have.source != f.source {
				b.c.note(step.Line, step.Name, "%s and %s are put at the same place %s; the spec has the later", have.source, f.source, f.path)
			}
			b.out.files[i] = f
			return
		}
	}
	b.out.files = append(b.out.files, f)
}

// add converts ADD.
func (b *stageWork) add(step *dockerfile.Step, cmd *instructions.AddCommand) {
	dest := at(step.Dir, cmd.DestPath)
	for _, source := range cmd.SourcePaths {
		switch digest, ok := strings.CutPrefix(cmd.Checksum, "sha256:"); {
		case strings.Contains(source, "://") && ok:
			name := dest
			if into(step, cmd.SourcesAndDest) {
				name = path.Join(dest, path.Base(source))
			}
			b.out.fetch = append(b.out.fetch, fetched{source, digest, name})
		case strings.Contains(source, "://") || strings.HasPrefix(source, "git@"):
			b.c.note(step.Line, "ADD", "%s is not carried over: a stage fetches what has a sha256 (fetch:)", source)
		case strings.Contains(source, ".tar") || strings.HasSuffix(source, ".tgz"):
			archive := "/tmp/" + path.Base(source)
			b.file(step, source, archive, false)
			b.out.run = append(b.out.run, "mkdir -p "+quote(dest)+"\ntar -C "+quote(dest)+" -xf "+quote(archive)+"\nrm "+quote(archive))
		default:
			b.file(step, source, dest, into(step, cmd.SourcesAndDest))
		}
	}
}
