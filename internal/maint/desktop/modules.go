package desktop

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// A module is a library that a program loads to ask it what it is for, which only
// its code can say. moduleList has the answers of Debian's: of the modules of GIO
// ("gio"), of gdk-pixbuf ("pixbuf") and of the input methods of GTK ("gtk2", "gtk3").
//
//go:embed modules.txt
var moduleList string

var modules = parseModules(moduleList)

// parseModules returns the answers by kind and name: "gio libgvfsdbus.so".
func parseModules(list string) map[string][]string {
	all := map[string][]string{}
	for block := range strings.SplitSeq(list, "\n\n") {
		lines := strings.Split(strings.TrimSuffix(block, "\n"), "\n")
		all[lines[0]] = lines[1:]
	}
	return all
}

// ask returns what the module at a path says. It is checked that the module has the
// words of that answer in it, lest another version of it means something else.
func ask(p *shell.Proc, kind, at string, words func(lines []string) []string) ([]string, error) {
	lines, ok := modules[kind+" "+path.Base(at)]
	if !ok {
		return nil, shell.Unsupported("running the code of the module %s, which is not known,", at)
	}
	b, err := p.FS.ReadFile(at)
	if err != nil {
		return nil, err
	}
	for _, word := range words(lines) {
		if !bytes.Contains(b, append([]byte(word), 0)) {
			return nil, shell.Unsupported("running the code of the module %s, which does not have the %q of the one that is known,", at, word)
		}
	}
	return lines, nil
}

// queryModules is gio-querymodules(1).
func queryModules(_ context.Context, p *shell.Proc) (int, error) {
	if len(p.Args) < 2 {
		fmt.Fprintln(p.Stdout, "Usage: gio-querymodules <directory1> [<directory2> ...]\nWill update giomodule.cache in the listed directories")
		return 1, nil
	}
	for _, dir := range p.Args[1:] {
		names, err := p.FS.ReadDir(p.Path(dir))
		if err != nil {
			fmt.Fprintf(p.Stderr, "Unable to open directory %s: Error opening directory \u201c%s\u201d: %s\n", dir, dir, shell.Strerror(err))
			continue
		}
		var cache string
		var from []string
		for _, name := range names {
			at := path.Join(p.Path(dir), name)
			if !strings.HasPrefix(name, "lib") || !strings.HasSuffix(name, ".so") || !exportsQuery(p, at) {
				continue
			}
			lines, err := ask(p, "gio", at, func(lines []string) []string { return strings.Split(lines[0], ",") })
			if err != nil {
				return 0, err
			}
			cache += name + ": " + lines[0] + "\n"
			from = append(from, at)
		}
		if err := writeCache(p, p.Path(dir)+"/giomodule.cache", cache, from); err != nil {
			return p.Fail(err)
		}
	}
	return 0, nil
}

// writeCache writes a cache, and removes it where there is nothing to write.
func writeCache(p *shell.Proc, name, text string, from []string) error {
	if text == "" {
		if p.FS.Exists(name) {
			return p.FS.Remove(name)
		}
		return nil
	}
	inputs(p, from...)
	return p.FS.WriteFile(name, []byte(text), 0o666&^p.Umask)
}

// exportsQuery says whether a library has the function that gio-querymodules calls.
// What cannot be read has not.
func exportsQuery(p *shell.Proc, at string) bool {
	b, err := p.FS.ReadFile(at)
	if err != nil {
		return false
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(path.Base(at), "lib"), "gio"), ".")
	name = strings.ReplaceAll(name, "-", "_")
	return bytes.Contains(b, []byte("\x00g_io_"+name+"_query\x00")) || bytes.Contains(b, []byte("\x00g_io_module_query\x00"))
}

// quoted returns the strings of lines, unescaped, but for those that the program
// puts in where the module leaves them out.
func quoted(lines []string) []string {
	var words []string
	for _, line := range lines {
		for line != "" {
			if line[0] != '"' {
				line = line[1:]
				continue
			}
			q, err := strconv.QuotedPrefix(line)
			if err != nil {
				break
			}
			if s, err := strconv.Unquote(q); err == nil && len(s) >= 3 && s != "gdk-pixbuf" {
				words = append(words, s)
			}
			line = line[len(q):]
		}
	}
	return words
}

// upstream is the version of a package without its epoch and Debian's parts.
func (c Config) upstream(pkg string) (string, error) {
	v := ""
	if c.Version != nil {
		v = c.Version(pkg)
	}
	if _, after, ok := strings.Cut(v, ":"); ok {
		v = after
	}
	if i := strings.IndexAny(v, "-+~"); i >= 0 {
		v = v[:i]
	}
	if v == "" {
		return "", fmt.Errorf("the image has a program of %s, but not the package: a fault of hardpan", pkg)
	}
	return v, nil
}

// queryLoaders is gdk-pixbuf-query-loaders(1) with the paths of modules.
func (c Config) queryLoaders(_ context.Context, p *shell.Proc) (int, error) {
	if len(p.Args) < 2 || strings.HasPrefix(p.Args[1], "-") {
		return 0, shell.Unsupported("gdk-pixbuf-query-loaders without paths")
	}
	version, err := c.upstream("libgdk-pixbuf-2.0-0")
	if err != nil {
		return 0, err
	}
	cache := "# GdkPixbuf Image Loader Modules file\n# Automatically generated file, do not edit\n# Created by gdk-pixbuf-query-loaders from gdk-pixbuf-" + version + "\n#\n"
	for _, name := range p.Args[1:] {
		at := p.Path(name)
		if !p.FS.Exists(at) {
			fmt.Fprintf(p.Stderr, "g_module_open() failed for %s: %s: cannot open shared object file: No such file or directory\n", at, at)
			continue
		}
		lines, err := ask(p, "pixbuf", at, quoted)
		if err != nil {
			return 0, err
		}
		cache += "\"" + at + "\"\n" + strings.Join(lines, "\n") + "\n\n"
	}
	_, err = fmt.Fprintln(p.Stdout, cache)
	return 0, err
}

// gtk is a generation of GTK with modules for input methods.
type gtk struct {
	kind, pkg, dir string
	home           string // directory of a user's modules
	host           func(triplet string) string
}

// gnuHosts are what autoconf calls the machines of Debian's triplets.
var gnuHosts = map[string]string{
	"x86_64-linux-gnu": "x86_64-pc-linux-gnu", "aarch64-linux-gnu": "aarch64-unknown-linux-gnu", "i386-linux-gnu": "i686-pc-linux-gnu",
	"arm-linux-gnueabihf": "arm-unknown-linux-gnueabihf", "powerpc64le-linux-gnu": "powerpc64le-unknown-linux-gnu",
	"riscv64-linux-gnu": "riscv64-unknown-linux-gnu", "s390x-linux-gnu": "s390x-ibm-linux-gnu",
}

var (
	gtk2 = gtk{"gtk2", "libgtk2.0-0t64", "gtk-2.0/2.10.0", ".gtk-2.0/2.10.0", func(t string) string { return gnuHosts[t] }}
	gtk3 = gtk{"gtk3", "libgtk-3-0t64", "gtk-3.0/3.0.0", "", func(string) string { return "linux" }}
)

// paths returns where GTK looks for modules, below the directory of libraries.
func (g gtk) paths(lib, home string) []string {
	var list []string
	host := g.host(path.Base(lib))
	for _, at := range []string{path.Join(home, g.home), path.Join(lib, g.dir)} {
		if g.home == "" && at == home {
			continue
		}
		for _, dir := range []string{at, path.Dir(at)} {
			list = append(list, path.Join(dir, host, "immodules"), path.Join(dir, "immodules"))
		}
	}
	return list
}

// queryInputMethods is gtk-query-immodules-2.0(1) or -3.0(1), which is in a directory
// of the libraries' own.
func (c Config) queryInputMethods(g gtk) shell.Command {
	return func(_ context.Context, p *shell.Proc) (int, error) {
		if len(p.Args) != 2 || p.Args[1] != "--update-cache" || !path.IsAbs(p.Args[0]) {
			return 0, shell.Unsupported("%s", strings.Join(p.Args, " "))
		}
		version, err := c.upstream(g.pkg)
		if err != nil {
			return 0, err
		}
		lib := path.Dir(path.Dir(p.Args[0]))
		paths := g.paths(lib, p.Getenv("HOME"))
		cache := "# GTK+ Input Method Modules file\n# Automatically generated file, do not edit\n# Created by " + p.Args[0] + " from gtk+-" + version +
			"\n#\n# ModulesPath = " + strings.Join(paths, ":") + "\n#\n"
		var from []string
		for _, dir := range paths {
			names, err := p.FS.ReadDir(dir)
			if err != nil {
				continue // most of them are not there
			}
			for _, name := range names {
				if !strings.HasSuffix(name, ".so") {
					continue
				}
				lines, err := ask(p, g.kind, dir+"/"+name, quoted)
				if err != nil {
					return 0, err
				}
				cache += "\"" + dir + "/" + name + "\" \n" + strings.Join(lines, "\n") + "\n\n"
				from = append(from, dir+"/"+name)
			}
		}
		if err := writeCache(p, path.Join(lib, g.dir, "immodules.cache"), cache, from); err != nil {
			return p.Fail(err)
		}
		return 0, nil
	}
}
