package audit

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/hardpan/hardpan/internal/audit/dockerfile"
	"github.com/hardpan/hardpan/internal/harden"
)

// A pattern is compiled when it is first asked, so that verbs which judge nothing do not
// pay for it at their start.
type pattern func() *regexp.Regexp

func compiled(text string) pattern {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

func (p pattern) match(s string) bool { return p().MatchString(s) }

// system reports whether a manager installs packages of a distribution.
func system(manager string) bool {
	return slices.Contains([]string{"apt", "apk", "yum", "dnf", "zypper"}, manager)
}

// packages judges each call of a package manager.
func (j *judge) packages() {
	for step, c := range j.run(false) {
		j.unverified(step, c)
		p, ok := c.Packaging()
		if !ok {
			continue
		}
		switch p.Verb {
		case dockerfile.Install:
			j.pins(step, c, p)
			j.recommends(step, c, p)
			j.interactive(step, c, p)
			if j.inImage(step) {
				j.cache(step, c, p)
			}
		case dockerfile.Update:
			j.updateAlone(step, c, p)
		case dockerfile.Upgrade:
			if system(p.Manager) {
				j.found("history-upgrade", step, c.Line, p.Tool+" "+p.Written+" changes packages of the base", c.String())
			}
		}
		if p.Tool == "apt" {
			j.found("apt-interactive", step, c.Line, "apt is for terminals", c.String())
		}
	}
}

// pins tells of packages without versions.
func (j *judge) pins(step *dockerfile.Step, c *dockerfile.Command, p dockerfile.Packaging) {
	if p.Lock || p.Manager == "gem" && c.Option("-v", "--version") != "" || p.Manager == "cargo" && c.Option("--version", "--vers", "--rev", "--tag") != "" || p.Written == "build-dep" {
		return
	}
	var loose []string
	for _, pkg := range p.Packages {
		if pkg.Version == "" && !pkg.Local && pkg.Known {
			loose = append(loose, pkg.Name)
		}
	}
	if len(loose) > 0 {
		j.found("packages-unpinned", step, c.Line, fmt.Sprintf("%s %s without versions: %s", p.Tool, p.Written, strings.Join(loose, " ")), c.String())
	}
	for _, name := range p.Files {
		j.requirements(step, c, name)
	}
}

var requirementLine = compiled(`^[A-Za-z0-9]`)

// requirements looks into a file of requirements, where that lies in the build's context.
func (j *judge) requirements(step *dockerfile.Step, c *dockerfile.Command, name string) {
	text, ok := j.context.read(name)
	if !ok {
		return
	}
	var loose []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if !requirementLine.match(line) || strings.Contains(line, "==") || strings.Contains(line, "@") || strings.Contains(line, "--hash") {
			continue
		}
		loose = append(loose, strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune("<>~=!;[ ", r) })[0])
	}
	if len(loose) > 0 {
		j.found("packages-unpinned", step, c.Line, fmt.Sprintf("%s has no versions of %s", name, strings.Join(loose[:min(len(loose), 8)], " ")), c.String())
	}
}

// read returns a file of the context that a command of the build names: by the path
// itself, or by its last part, since COPY moves files.
func (c *buildContext) read(name string) (string, bool) {
	for _, at := range []string{name, filepath.Base(name)} {
		at = filepath.Clean(strings.TrimPrefix(at, "/"))
		if !filepath.IsLocal(at) {
			continue
		}
		root, err := os.OpenRoot(c.dir)
		if err != nil {
			return "", false
		}
		info, err := root.Stat(at)
		if err == nil && info.Mode().IsRegular() && info.Size() <= maxFile {
			if text, err := root.ReadFile(at); err == nil {
				root.Close()
				return string(text), true
			}
		}
		root.Close()
	}
	return "", false
}

func (j *judge) recommends(step *dockerfile.Step, c *dockerfile.Command, p dockerfile.Packaging) {
	text := c.String()
	bare := p.Manager == "apt" && !c.Has("--no-install-recommends") && !strings.Contains(strings.ToLower(text), "install-recommends") && !j.aptConfigured(step) ||
		p.Manager == "zypper" && !c.Has("--no-recommends")
	if !bare || len(p.Packages) == 0 {
		return
	}
	option := map[string]string{"apt": "--no-install-recommends", "zypper": "--no-recommends"}[p.Manager]
	if j.inImage(step) {
		j.found("recommends-installed", step, c.Line, p.Tool+" "+p.Written+" without "+option, text)
	} else {
		j.foundAs(harden.Info, "recommends-installed", step, c.Line, p.Tool+" "+p.Written+" without "+option+", in a stage that is thrown away", text)
	}
}

// aptConfigured reports whether an earlier command tells apt to install no recommended
// packages.
func (j *judge) aptConfigured(step *dockerfile.Step) bool {
	if j.aptLines == nil {
		j.aptLines = map[*dockerfile.Stage]int{}
		for s := range j.steps(false) {
			if t := strings.ToLower(s.Text); j.aptLines[s.Stage] == 0 && strings.Contains(t, "apt.conf") && strings.Contains(t, "install-recommends") {
				j.aptLines[s.Stage] = s.Line
			}
		}
	}
	for _, s := range step.Stage.Chain() {
		if at := j.aptLines[s]; at > 0 && at <= step.Line {
			return true
		}
	}
	return false
}

func (j *judge) interactive(step *dockerfile.Step, c *dockerfile.Command, p dockerfile.Packaging) {
	yes := c.Has("-y", "--yes", "--assume-yes", "--assumeyes", "-n", "--non-interactive", "--force-yes", "-qq", "--no-confirm", "--noconfirm") || strings.Contains(c.String(), "-qq") || strings.Contains(c.String(), "Assume-Yes")
	if system(p.Manager) && p.Manager != "apk" && p.Tool != "microdnf" && !yes && len(p.Packages) > 0 {
		j.found("apt-interactive", step, c.Line, p.Tool+" "+p.Written+" without -y waits for an answer", c.String())
	}
}

func (j *judge) updateAlone(step *dockerfile.Step, c *dockerfile.Command, p dockerfile.Packaging) {
	if !system(p.Manager) {
		return
	}
	for _, other := range step.Commands() {
		if q, ok := other.Packaging(); ok && (q.Verb == dockerfile.Install || q.Verb == dockerfile.Upgrade) {
			return
		}
	}
	j.found("history-update-alone", step, c.Line, p.Tool+" "+p.Written+" in a step that installs nothing", c.String())
}

// cached says of a manager what its installations leave, how a step takes it away, and
// the directory that a cache mount may keep instead.
var cached = map[string]struct {
	what    string
	cleaned pattern
	mount   string
}{
	"apt":    {"the package lists stay in /var/lib/apt/lists", compiled(`rm\s[^;&|]*/var/lib/apt(/lists)?(/|\s|\*|$|")|apt-get\s+(-\S+\s+)*dist-?clean`), "/var/lib/apt"},
	"apk":    {"the index stays in /var/cache/apk", compiled(`--no-cache|rm\s[^;&|]*/var/cache/apk`), "/var/cache/apk"},
	"yum":    {"the cache stays in /var/cache", compiled(`(yum|dnf)\s+(-\S+\s+)*clean\s+all|rm\s[^;&|]*/var/cache/(yum|dnf)`), "/var/cache"},
	"dnf":    {"the cache stays in /var/cache", compiled(`dnf5?\s+(-\S+\s+)*clean\s+all|rm\s[^;&|]*/var/cache/(yum|dnf|libdnf5)?`), "/var/cache"},
	"zypper": {"the cache stays in /var/cache/zypp", compiled(`zypper\s+(-\S+\s+)*(clean|cc)|rm\s[^;&|]*/var/cache/zypp`), "/var/cache/zypp"},
	"pip":    {"pip keeps its downloads in /root/.cache", compiled(`--no-cache-dir|--no-cache\b|PIP_NO_CACHE_DIR|pip3?\s+cache\s+purge|rm\s[^;&|]*(/root|~|\$HOME)/\.cache`), "cache"},
	"npm":    {"yarn keeps its downloads", compiled(`(yarn|npm|pnpm)\s+cache\s+clean|rm\s[^;&|]*(\.yarn|\.npm|yarn\s+cache)`), "cache"},
}

func (j *judge) cache(step *dockerfile.Step, c *dockerfile.Command, p dockerfile.Packaging) {
	k, ok := cached[p.Manager]
	if !ok || p.Manager == "npm" && p.Tool != "yarn" || step.Script == nil {
		return
	}
	text := step.Script.Text
	if step.Script.Exec != nil {
		text = strings.Join(step.Script.Exec, " ")
	}
	if k.cleaned.match(text) || hasMount(step, instructions.MountTypeCache, k.mount) || hasMount(step, instructions.MountTypeTmpfs, k.mount) {
		return
	}
	if v, ok := step.Stage.Env.Get("PIP_NO_CACHE_DIR"); p.Manager == "pip" && ok && v.Value != "" && v.Value != "0" {
		return
	}
	if v, ok := step.Stage.Args.Get("PIP_NO_CACHE_DIR"); p.Manager == "pip" && ok && v.Value != "" {
		return
	}
	j.found("history-cache", step, c.Line, k.what, c.String())
}

// hasMount reports whether RUN mounts something of the kind on a path that holds part.
func hasMount(step *dockerfile.Step, kind instructions.MountType, part string) bool {
	c, ok := step.Command.(*instructions.RunCommand)
	if !ok {
		return false
	}
	return slices.ContainsFunc(instructions.GetMounts(c), func(m *instructions.Mount) bool { return m.Type == kind && strings.Contains(m.Target, part) })
}

// unverifiedOption are options and settings with which packages or files are not verified.
var unverifiedOption = compiled(`--allow-unauthenticated|--allow-insecure-repositories|--allow-downgrades\s+--force-yes|--force-yes|--no-gpg-checks?\b|--nogpgcheck|--allow-untrusted|--no-check-certificate|--no-check-gpg|--trusted-host|--no-verify-ssl|strict-ssl[= ]+false|sslverify[= ]+(0|false)|http\.sslVerify[= ]+(0|false)|\btrusted[=:] ?yes\b|AllowInsecureRepositories[= ]+"?(true|1)|AllowUnauthenticated[= ]+"?(true|1)|Verify-Peer[= ]+"?false|gpgcheck=0`)

var insecureCurl = compiled(`^curl\s(.*\s)?(-[a-zA-Z]*k[a-zA-Z]*|--insecure)(\s|$)`)

// unverified tells of commands that switch verification off.
func (j *judge) unverified(step *dockerfile.Step, c *dockerfile.Command) {
	text := c.String()
	switch {
	case unverifiedOption.match(text):
		j.found("packages-unverified", step, c.Line, "verification is switched off: "+unverifiedOption().FindString(text), text)
	case c.Name == "curl" && insecureCurl.match("curl "+strings.Join(c.Texts(), " ")):
		j.found("packages-unverified", step, c.Line, "verification is switched off: curl --insecure", text)
	case c.HasInput && unverifiedOption.match(c.Input):
		j.found("packages-unverified", step, c.Line, "verification is switched off: "+unverifiedOption().FindString(c.Input), text)
	}
}
