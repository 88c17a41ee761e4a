package convert

import (
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/audit/dockerfile"
	"github.com/hardpan/hardpan/internal/check/secrets"
	"github.com/hardpan/hardpan/internal/harden"
)

// pin returns the pattern of a version that stays true when Debian updates the package:
// its archive keeps only the newest of a release, and updates change the revision and at
// most the last part of the upstream version. The lock then has the exact one.
func pin(version string) string {
	if strings.ContainsAny(version, "*?") {
		return version
	}
	epoch, rest, has := strings.Cut(version, ":")
	if !has {
		epoch, rest = "", version
	} else {
		epoch += ":"
	}
	if at := strings.LastIndex(rest, "-"); at > 0 {
		rest = rest[:at]
	}
	if i := strings.IndexAny(rest, "+~"); i > 0 {
		rest = rest[:i]
	}
	parts := strings.Split(rest, ".")
	if len(parts) > 2 {
		return epoch + parts[0] + "." + parts[1] + ".*"
	}
	return epoch + rest + "*"
}

var debianName = compiled(`^[a-z0-9][a-z0-9+.-]+$`)

// request returns a package of a Dockerfile as an entry of a spec.
func (c *converter) request(p dockerfile.Package, line int) (item, bool) {
	name, _, _ := strings.Cut(p.Name, ":")
	if p.Local || !p.Known || !debianName().MatchString(name) {
		c.note(line, "package", "%s is no package of the archive", p.Text)
		return item{}, false
	}
	if p.Version == "" {
		return item{text: name}, true
	}
	if strings.Contains(p.Version, "$") {
		return item{name, "a variable said its version"}, true
	}
	wide := pin(p.Version)
	if wide != p.Version {
		c.note(line, "package", "%s=%s becomes %s=%s: the archive keeps only a release's newest version, and the lock pins that by digest", name, p.Version, name, wide)
	}
	return item{name + "=" + wide, "=" + p.Version + " in the Dockerfile"}, true
}

// kind says what becomes of a command.
type kind int

const (
	runs      kind = iota // it is run in a stage
	nothing               // the spec needs nothing of it
	described             // the spec says it: accounts, paths, packages
	prepares              // the spec says it, and commands after it may need it
)

// kindOf returns what becomes of a command of the image.
func kindOf(cmd *dockerfile.Command) kind {
	if p, ok := cmd.Packaging(); ok && p.Manager == "apt" {
		return described
	}
	switch cmd.Name {
	case "set", "true", ":", "ldconfig", "update-ca-certificates", "apt-mark", "umask", "sync":
		return nothing
	case "echo", "printf":
		if len(cmd.Writes) == 0 && cmd.Into == nil {
			return nothing
		}
	case "useradd", "adduser", "usermod", "groupadd", "addgroup", "passwd", "chown", "chgrp", "chmod":
		return described
	case "mkdir":
		return prepares
	case "install":
		if cmd.Has("-d", "--directory") {
			return prepares
		}
	case "ln":
		if len(cmd.Operands()) == 2 && cmd.Has("-s", "--symbolic") {
			return prepares
		}
	case "rm":
		words := cmd.Operands()
		if len(words) > 0 && !slices.ContainsFunc(words, func(w string) bool { return !isLeftover(w) }) {
			return nothing
		}
	}
	return runs
}

// isLeftover reports whether a path is one of those that no image of a spec has.
func isLeftover(p string) bool {
	return slices.ContainsFunc([]string{"/var/lib/apt", "/var/cache", "/tmp", "/var/tmp", "/root/.cache", "~/.cache", "/var/log", "/usr/share/doc", "/usr/share/man", "/usr/share/locale", "/root/.npm", "/usr/share/info", "/var/lib/dpkg"}, func(left string) bool {
		return p == left || strings.HasPrefix(p, left+"/") || strings.HasPrefix(p, left+"*")
	})
}

// statementKind is the kind of a statement: that of its commands where they are of one
// mind, else it is run whole.
func statementKind(st *dockerfile.Statement) kind {
	if len(st.Commands) == 0 {
		return runs // an assignment that what follows needs
	}
	all := kindOf(st.Commands[0])
	for _, cmd := range st.Commands {
		switch k := kindOf(cmd); {
		case k == runs:
			return runs
		case k != all:
			all = max(all, k)
		}
	}
	return all
}

// network reports whether a command reaches the network.
func network(cmd *dockerfile.Command) bool {
	switch cmd.Name {
	case "curl", "wget", "fetch", "aria2c", "mvn", "mvnw", "gradle", "gradlew", "composer", "bundle", "poetry", "pipenv", "uv", "dotnet", "nuget", "mix", "npx":
		return true
	case "git":
		return slices.ContainsFunc(cmd.Texts(), func(w string) bool { return w == "clone" || w == "fetch" || w == "pull" || w == "submodule" })
	case "go":
		return !cmd.Has("-mod=vendor") && slices.ContainsFunc(cmd.Texts(), func(w string) bool { return w == "mod" || w == "build" || w == "install" || w == "get" })
	case "cargo":
		return !cmd.Has("--offline")
	}
	p, ok := cmd.Packaging()
	switch {
	case !ok || p.Verb != dockerfile.Install || p.Manager == "apt":
		return false
	case p.Manager == "pip":
		return !cmd.Has("--no-index")
	}
	return true
}

// pipOutside reports whether a command installs Python packages outside of a virtual
// environment and of a directory of its own.
func pipOutside(cmd *dockerfile.Command, venvs []string) bool {
	p, ok := cmd.Packaging()
	if !ok || p.Manager != "pip" || p.Verb != dockerfile.Install || cmd.Option("-t", "--target", "--root") != "" {
		return false
	}
	program := cmd.Program().Text
	return !slices.ContainsFunc(venvs, func(v string) bool { return strings.HasPrefix(program, v+"/") })
}

// venvOf returns the virtual environment that a command makes.
func venvOf(cmd *dockerfile.Command) (string, bool) {
	words := cmd.Operands("-m", "--prompt", "-p", "--python")
	switch {
	case strings.HasPrefix(cmd.Name, "python") && cmd.Option("-m") == "venv", cmd.Name == "virtualenv":
	case cmd.Name == "uv" && len(words) > 1 && words[0] == "venv":
		words = words[1:]
	default:
		return "", false
	}
	if len(words) == 0 {
		return "", false
	}
	dir := words[len(words)-1]
	if !strings.HasPrefix(dir, "/") {
		dir = path.Join("/", cmd.Dir, dir)
	}
	return path.Clean(dir), true
}

// ownVenv is where Python packages go that a Dockerfile installs into the system: Debian
// keeps that for its own ones (PEP 668).
const ownVenv = "/opt/venv"

// defaultPath is the PATH of Docker's official images.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environment returns variables with the base's PATH put in.
func environment(env *dockerfile.Env) []pair {
	var list []pair
	for _, v := range env.All() {
		value := v.Value
		if v.Name == "PATH" {
			value = strings.NewReplacer("${PATH}", defaultPath, "$PATH", defaultPath).Replace(value)
		}
		list = append(list, pair{v.Name, value})
	}
	return list
}

// withoutSecrets leaves out the variables that hold secrets, by their names or by their
// content, and says so: a spec is read by more people than a running container, and is
// attested with its image. Where is " of stage NAME", or empty for the image.
func (c *converter) withoutSecrets(list []pair, where string) []pair {
	return slices.DeleteFunc(list, func(p pair) bool {
		if !isSecret(p) {
			return false
		}
		remedy := "give it when the container starts"
		if where != "" {
			remedy = "give it as one of the stage's secrets:"
		}
		c.note(0, "secret", "variable %s%s looks like a secret and is not carried over: %s", p.key, where, remedy)
		return true
	})
}

// isSecret reports whether a variable holds a secret, as the audit's findings have it.
func isSecret(p pair) bool {
	if harden.SecretVariable(p.key) && (!harden.NoSecret(p.value) || strings.HasPrefix(p.value, "$")) {
		return true
	}
	d, err := secrets.Default()
	return err == nil && p.value != "" && len(d.Find("", []byte(p.key+"="+p.value))) > 0
}

// set puts a variable, or changes it.
func set(list []pair, key, value string) []pair {
	for i := range list {
		if list[i].key == key {
			list[i].value = value
			return list
		}
	}
	return append(list, pair{key, value})
}

func get(list []pair, key string) string {
	for _, p := range list {
		if p.key == key {
			return p.value
		}
	}
	return ""
}

// firstInPath puts a directory at the front of PATH.
func firstInPath(list []pair, dir string) []pair {
	at := get(list, "PATH")
	switch {
	case at == "":
		at = dir + ":" + defaultPath
	case !slices.Contains(strings.Split(at, ":"), dir):
		at = dir + ":" + at
	}
	return set(list, "PATH", at)
}
