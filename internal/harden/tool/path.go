package tool

import (
	"bytes"
	"path"
	"slices"
	"strings"
)

// placed says what a file that begins with head is because of where it lies.
func placed(name string, head []byte) (what string, kind Kind) {
	if what := development(name, head); what != "" {
		return what, Development
	}
	if what := module(name); what != "" {
		return what, PackageManager
	}
	if what := LeftoverOf(name); what != "" {
		return what, Leftover
	}
	return "", ""
}

// development names what only compilers and linkers read.
func development(name string, head []byte) string {
	switch path.Ext(name) {
	case ".h", ".hh", ".hpp", ".hxx":
		if slices.Contains(strings.Split(path.Dir(name), "/"), "include") {
			return "header"
		}
	case ".a":
		if bytes.HasPrefix(head, []byte("!<arch>\n")) || bytes.HasPrefix(head, []byte("!<thin>\n")) {
			return "static library"
		}
	case ".o":
		if readKind(head) == object {
			return "object file"
		}
	}
	return ""
}

// modules are package managers that an interpreter runs as a library: each ends the
// path of a file that it cannot do without.
var modules = []struct{ end, name string }{
	{"/pip/__main__.py", "pip"},
	{"/ensurepip/__init__.py", "ensurepip"},
	{"/npm/bin/npm-cli.js", "npm"},
	{"/corepack/dist/corepack.js", "corepack"},
	{"/yarn/bin/yarn.js", "yarn"},
	{"/pnpm/bin/pnpm.cjs", "pnpm"},
	{"/apt/apt_pkg.so", "python-apt"},
}

func module(name string) string {
	for _, m := range modules {
		if strings.HasSuffix(name, m.end) {
			return m.name
		}
	}
	return ""
}

// leftovers are files that making an image leaves behind: where the path begins with
// below, or has the directory anywhere.
var leftovers = []struct{ below, anywhere, name string }{
	{below: "var/lib/apt/lists/", name: "apt package lists"},
	{below: "var/cache/apt/", name: "apt cache"},
	{below: "var/lib/aptitude/", name: "aptitude state"},
	{below: "var/cache/apk/", name: "apk cache"},
	{below: "etc/apk/cache/", name: "apk cache"},
	{below: "var/cache/yum/", name: "yum cache"},
	{below: "var/cache/dnf/", name: "dnf cache"},
	{below: "var/cache/libdnf5/", name: "dnf cache"},
	{below: "var/cache/zypp/", name: "zypper cache"},
	{below: "var/cache/pacman/", name: "pacman cache"},
	{below: "var/cache/man/", name: "index of manuals"},
	{below: "var/cache/debconf/", name: "debconf cache"},
	{below: "tmp/", name: "temporary file"},
	{below: "var/tmp/", name: "temporary file"},
	{below: "usr/tmp/", name: "temporary file"},
	{below: "var/log/", name: "log"},
	{below: "var/crash/", name: "crash report"},
	{below: "var/lib/dpkg/updates/", name: "journal of dpkg"},
	{anywhere: "/.git/", name: "git repository"},
	{anywhere: "/.hg/", name: "mercurial repository"},
	{anywhere: "/.svn/", name: "subversion working copy"},
	{anywhere: "/.bzr/", name: "bazaar repository"},
	{anywhere: "/.cache/pip/", name: "pip cache"},
	{anywhere: "/.cache/uv/", name: "uv cache"},
	{anywhere: "/.cache/pypoetry/", name: "poetry cache"},
	{anywhere: "/.cache/pipenv/", name: "pipenv cache"},
	{anywhere: "/.cache/yarn/", name: "yarn cache"},
	{anywhere: "/.cache/go-build/", name: "go build cache"},
	{anywhere: "/.cache/node-gyp/", name: "node-gyp cache"},
	{anywhere: "/.cache/composer/", name: "composer cache"},
	{anywhere: "/.npm/_cacache/", name: "npm cache"},
	{anywhere: "/.npm/_logs/", name: "npm log"},
	{anywhere: "/.yarn/cache/", name: "yarn cache"},
	{anywhere: "/.m2/repository/", name: "maven cache"},
	{anywhere: "/.gradle/caches/", name: "gradle cache"},
	{anywhere: "/.cargo/registry/", name: "cargo cache"},
	{anywhere: "/.bundle/cache/", name: "bundler cache"},
	{anywhere: "/conda/pkgs/", name: "conda cache"},
	{below: "root/.cache/", name: "cache of root"},
}

// histories are files that interactive programs leave in a home directory.
var histories = strings.Fields(`.bash_history .ash_history .sh_history .zsh_history .python_history .node_repl_history .irb_history .lesshst .viminfo .wget-hsts .rediscli_history
	.psql_history .mysql_history .sqlite_history .sudo_as_admin_successful`)

// LeftoverOf says what making an image left behind at name, a clean path of a file
// without a leading slash: "apt package lists", "git repository"; "" for nothing. It
// goes by the path alone.
func LeftoverOf(name string) string {
	for _, l := range leftovers {
		if l.below != "" && strings.HasPrefix(name, l.below) || l.anywhere != "" && strings.Contains("/"+name, l.anywhere) {
			return l.name
		}
	}
	base := path.Base(name)
	switch {
	case slices.Contains(histories, base):
		return "history of a session"
	case strings.HasSuffix(base, ".dpkg-old"), strings.HasSuffix(base, ".dpkg-dist"), strings.HasSuffix(base, ".dpkg-new"), strings.HasSuffix(base, ".dpkg-tmp"), strings.HasSuffix(base, ".ucf-old"):
		return "former version of a file"
	case strings.HasSuffix(base, "-old") && path.Dir(name) == "var/lib/dpkg", strings.HasSuffix(base, "-") && path.Dir(name) == "etc" && slices.Contains([]string{"passwd-", "group-", "shadow-", "gshadow-", "subuid-", "subgid-"}, base):
		return "former version of a file"
	case name == "core", strings.HasPrefix(base, "core.") && path.Dir(name) == ".":
		return "core dump"
	}
	return ""
}
