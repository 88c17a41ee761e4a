package dockerfile

import (
	"regexp"
	"slices"
	"strings"
	"sync"
)

// The verbs of package managers, by one name each.
const (
	Install = "install"
	Remove  = "remove"
	Clear   = "autoremove" // of what nothing needs any more
	Update  = "update"     // of the lists of packages
	Upgrade = "upgrade"
	Clean   = "clean" // of caches
)

// Packaging is a call of a package manager.
type Packaging struct {
	Manager  string // apt, apk, pip, npm, yarn, gem, yum, dnf, zypper, go, cargo
	Tool     string // as it is called: apt or apt-get, pip or pip3
	Verb     string
	Written  string // the verb as it is written
	Packages []Package
	Files    []string // requirement files
	Lock     bool     // versions come from a lock file: npm ci
}

// Package is one that a command installs or removes.
type Package struct {
	Name    string
	Version string // "" where none is said
	Text    string // as written
	Local   bool   // a file or an address, not a name
	Known   bool   // false for what a variable says that has no value
}

// manager describes how a package manager is called.
type manager struct {
	verbs   map[string]string
	values  []string // options that take a word
	version func(text string) (name, version string)
}

var managers = sync.OnceValue(func() map[string]manager {
	rpm := manager{
		verbs:   map[string]string{"install": Install, "in": Install, "localinstall": Install, "reinstall": Install, "remove": Remove, "erase": Remove, "rm": Remove, "autoremove": Clear, "makecache": Update, "check-update": Update, "refresh": Update, "ref": Update, "update": Upgrade, "upgrade": Upgrade, "up": Upgrade, "dist-upgrade": Upgrade, "dup": Upgrade, "distro-sync": Upgrade, "clean": Clean, "cc": Clean},
		values:  []string{"-x", "--exclude", "--enablerepo", "--disablerepo", "-c", "--releasever", "--installroot", "--setopt", "-r", "--repo"},
		version: afterDash,
	}
	apt := manager{
		verbs:   map[string]string{"install": Install, "reinstall": Install, "build-dep": Install, "remove": Remove, "purge": Remove, "autoremove": Clear, "autopurge": Clear, "update": Update, "upgrade": Upgrade, "dist-upgrade": Upgrade, "full-upgrade": Upgrade, "clean": Clean, "autoclean": Clean},
		values:  []string{"-t", "-o", "-c", "--target-release", "--option", "--config-file", "-a", "--host-architecture"},
		version: afterEquals,
	}
	return map[string]manager{
		"apt": apt, "yum": rpm, "dnf": rpm, "zypper": rpm,
		"apk": {
			verbs: map[string]string{"add": Install, "del": Remove, "update": Update, "upgrade": Upgrade, "fix": Install, "cache": Clean}, values: []string{"-t", "--virtual", "-X", "--repository", "-p", "--root", "--keys-dir", "--repositories-file", "--arch"},
			version: func(text string) (string, string) {
				if i := strings.IndexAny(text, "=~<>"); i > 0 {
					return text[:i], strings.TrimLeft(text[i:], "=~<>")
				}
				name, _, _ := strings.Cut(text, "@") // a tag of a repository
				return name, ""
			},
		},
		"pip": {
			verbs:  map[string]string{"install": Install, "uninstall": Remove, "sync": Install, "cache": Clean},
			values: []string{"-i", "--index-url", "--extra-index-url", "-f", "--find-links", "-t", "--target", "--prefix", "--root", "--trusted-host", "--platform", "--python-version", "--only-binary", "--no-binary", "--proxy", "--timeout", "--cache-dir", "--src", "--progress-bar", "--python", "-e", "--editable"},
			version: func(text string) (string, string) {
				name, version, ok := strings.Cut(text, "==")
				if !ok {
					name, version, ok = strings.Cut(text, "@")
				}
				if !ok {
					name = strings.FieldsFunc(text+" ", func(r rune) bool { return strings.ContainsRune("<>~=! ", r) })[0]
				}
				name, _, _ = strings.Cut(name, "[")
				return strings.TrimSpace(name), strings.TrimSpace(version)
			},
		},
		"npm": {
			verbs:   map[string]string{"install": Install, "i": Install, "add": Install, "ci": Install, "clean-install": Install, "uninstall": Remove, "remove": Remove, "rm": Remove, "update": Upgrade, "upgrade": Upgrade, "cache": Clean},
			values:  []string{"--prefix", "--registry", "--omit", "--only", "--include", "-C", "--cwd", "--dir"},
			version: afterAt,
		},
		"gem":   {verbs: map[string]string{"install": Install, "i": Install, "uninstall": Remove, "update": Upgrade, "cleanup": Clean}, values: []string{"-v", "--version", "-i", "--install-dir", "-s", "--source", "-n", "--bindir"}, version: afterColon},
		"go":    {verbs: map[string]string{"install": Install, "get": Install}, values: []string{"-ldflags", "-tags", "-o", "-mod", "-gcflags", "-C"}, version: afterAt},
		"cargo": {verbs: map[string]string{"install": Install}, values: []string{"--version", "--vers", "--git", "--branch", "--tag", "--rev", "--path", "--root", "--features", "--bin", "--target", "-F", "-j"}, version: afterAt},
	}
})

func afterEquals(text string) (string, string) {
	name, version, _ := strings.Cut(text, "=")
	name, _, _ = strings.Cut(name, "/")
	return name, version
}

func afterColon(text string) (string, string) {
	name, version, _ := strings.Cut(text, ":")
	return name, version
}

func afterAt(text string) (string, string) {
	if i := strings.LastIndex(text, "@"); i > 0 {
		if v := text[i+1:]; v != "latest" && v != "*" && v != "next" && v != "upgrade" && v != "master" && v != "main" {
			return text[:i], v
		}
		return text[:i], ""
	}
	return text, ""
}

var dashVersion = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(.+?)(?:-|=)(\d[^-]*(?:-[^-]+)?)$`) })

func afterDash(text string) (string, string) {
	if m := dashVersion().FindStringSubmatch(text); m != nil {
		return m[1], m[2]
	}
	return text, ""
}

// managerOf returns the manager that a program is a front end of, and its words.
func managerOf(c *Command) (name, tool string, words []Word) {
	words = c.Args
	switch n := c.Name; {
	case n == "apt-get" || n == "apt" || n == "aptitude":
		return "apt", n, words
	case n == "apk", n == "yum", n == "zypper", n == "gem", n == "go", n == "cargo":
		return n, n, words
	case n == "dnf" || n == "microdnf" || n == "tdnf" || n == "dnf5":
		return "dnf", n, words
	case n == "npm" || n == "pnpm" || n == "yarn":
		return "npm", n, words
	case strings.HasPrefix(n, "pip") && strings.Trim(n[3:], "0123456789.") == "":
		return "pip", n, words
	case strings.HasPrefix(n, "python") && len(words) > 2 && words[0].Text == "-m" && words[1].Text == "pip":
		return "pip", "pip", words[2:]
	case n == "uv" && len(words) > 1 && words[0].Text == "pip":
		return "pip", "uv", words[1:]
	}
	return "", "", nil
}

// Packaging returns what the command asks of a package manager, and whether it asks one.
func (c *Command) Packaging() (Packaging, bool) {
	name, tool, words := managerOf(c)
	m, ok := managers()[name]
	if !ok {
		return Packaging{}, false
	}
	p := Packaging{Manager: name, Tool: tool}
	for i := 0; i < len(words); i++ {
		w := words[i]
		option, value, has := strings.Cut(w.Text, "=")
		switch {
		case name == "pip" && slices.Contains([]string{"-r", "--requirement", "-c", "--constraint"}, option):
			if !has && i+1 < len(words) {
				i++
				value = words[i].Text
			}
			if option == "-r" || option == "--requirement" {
				p.Files = append(p.Files, value)
			}
		case slices.Contains(m.values, w.Text):
			i++
		case strings.HasPrefix(w.Text, "-") && len(w.Text) > 1:
		case p.Verb == "":
			if p.Verb = m.verbs[w.Text]; p.Verb == "" {
				return Packaging{}, false
			}
			p.Written = w.Text
		default:
			p.Packages = append(p.Packages, packageOf(m, name, w))
		}
	}
	if p.Verb == "" && tool == "yarn" {
		p.Verb, p.Written = Install, "install"
	}
	p.Lock = p.Written == "ci" || p.Written == "clean-install" || c.Has("--frozen-lockfile", "--immutable")
	return p, p.Verb != ""
}

func packageOf(m manager, name string, w Word) Package {
	p := Package{Text: w.Text, Known: w.Known}
	p.Name, p.Version = m.version(w.Text)
	switch {
	case name == "go":
		p.Local = strings.HasPrefix(w.Text, ".") || strings.HasPrefix(w.Text, "/")
	case name == "npm":
		p.Local = strings.HasPrefix(w.Text, ".") || strings.HasPrefix(w.Text, "/") || strings.Contains(w.Text, "://") || strings.HasSuffix(w.Text, ".tgz")
	default:
		p.Local = strings.Contains(w.Text, "/") && name != "apt" || strings.HasPrefix(w.Text, "./") || strings.HasPrefix(w.Text, "/") || strings.HasPrefix(w.Text, ".") ||
			slices.ContainsFunc([]string{".deb", ".whl", ".rpm", ".apk", ".gem", ".tar.gz", ".zip"}, func(end string) bool { return strings.HasSuffix(w.Text, end) })
	}
	return p
}

// Option returns the value of an option of the command, "" where it has none.
func (c *Command) Option(names ...string) string {
	for i, w := range c.Args {
		for _, n := range names {
			if w.Text == n && i+1 < len(c.Args) {
				return c.Args[i+1].Text
			}
			if v, ok := strings.CutPrefix(w.Text, n+"="); ok && strings.HasPrefix(n, "-") {
				return v
			}
		}
	}
	return ""
}

// Operands returns the words of the command that are no options; withValue are options
// that take a word of their own.
func (c *Command) Operands(withValue ...string) []string { return operands(c, withValue) }
