package generate

import (
	"context"
	"fmt"
	"maps"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/glib"
	"github.com/hardpan/hardpan/internal/maint/ldso"
	"github.com/hardpan/hardpan/internal/maint/shell"
)

// libraryPrograms are the programs that lie beside the libraries of the image's
// architecture, and that scripts call by their path.
func (c Config) libraryPrograms() map[string]shell.Command {
	abi, err := ldso.ABIOf(c.Architecture)
	if err != nil {
		return nil
	}
	lib := "/usr/lib/" + abi.Triplet
	schemas := glib.Commands()
	all := map[string]shell.Command{
		lib + "/glib-2.0/glib-compile-schemas":           schemas["glib-compile-schemas"],
		lib + "/glib-2.0/gio-querymodules":               queryModules,
		lib + "/gdk-pixbuf-2.0/gdk-pixbuf-query-loaders": queryLoaders,
	}
	maps.Copy(all, schemas)
	return all
}

// gioModules are the extension points of the modules that Debian 13 has, which
// only their code tells.
var gioModules = map[string]string{
	"libdconfsettings.so":            "gsettings-backend",
	"libgiognomeproxy.so":            "gio-proxy-resolver",
	"libgiognutls.so":                "gio-tls-backend",
	"libgioopenssl.so":               "gio-tls-backend",
	"libgiolibproxy.so":              "gio-proxy-resolver",
	"libgioremote-volume-monitor.so": "gio-native-volume-monitor,gio-volume-monitor",
	"libgvfsdbus.so":                 "gio-vfs,gio-volume-monitor",
}

// queryModules is gio-querymodules(1): it writes giomodule.cache.
func queryModules(_ context.Context, p *shell.Proc) (int, error) {
	status := 0
	for _, a := range p.Args[1:] {
		dir := p.Path(a)
		names, err := p.FS.ReadDir(dir)
		if err != nil {
			fmt.Fprintf(p.Stderr, "Unable to open directory %s: Error opening directory “%s”: No such file or directory\n", a, a)
			continue
		}
		var b strings.Builder
		var used []string
		for _, name := range names {
			if !strings.HasSuffix(name, ".so") || !strings.HasPrefix(name, "lib") {
				continue
			}
			points, ok := gioModules[name]
			if !ok {
				return 0, shell.Unsupported("gio-querymodules of %s/%s", dir, name)
			}
			b.WriteString(name + ": " + points + "\n")
			used = append(used, dir+"/"+name)
		}
		at := dir + "/giomodule.cache"
		if b.Len() == 0 {
			if err := p.FS.RemoveAll(at); err != nil {
				return fail(p, err)
			}
			continue
		}
		from(p, used...)
		if err := p.FS.WriteFile(at, []byte(b.String()), 0o644); err != nil {
			return fail(p, err)
		}
	}
	return status, nil
}

var pixbufLibrary = regexp.MustCompile(`^libgdk_pixbuf-2\.0\.so\.0\.(\d+)\.(\d+)$`)

// pixbufVersion returns the version of the image's gdk-pixbuf, which the name of
// the library has: "libgdk_pixbuf-2.0.so.0.4200.12" is 2.42.12.
func pixbufVersion(p *shell.Proc) string {
	dir := path.Dir(path.Dir(p.Args[0]))
	names, _ := p.FS.ReadDir(dir) // the program is in it
	for _, name := range names {
		if m := pixbufLibrary.FindStringSubmatch(name); m != nil {
			minor, err := strconv.Atoi(m[1])
			if err == nil {
				return fmt.Sprintf("2.%d.%s", minor/100, m[2])
			}
		}
	}
	return ""
}

// queryLoaders is gdk-pixbuf-query-loaders(1), which prints what it knows of
// modules.
func queryLoaders(_ context.Context, p *shell.Proc) (int, error) {
	version := pixbufVersion(p)
	if version == "" {
		return 0, shell.Unsupported("gdk-pixbuf-query-loaders without a libgdk_pixbuf")
	}
	modules := p.Args[1:]
	if len(modules) == 0 {
		dir := path.Dir(p.Args[0]) + "/2.10.0/loaders"
		names, _ := p.FS.ReadDir(dir) // none is an empty one
		for _, name := range names {
			if strings.HasSuffix(name, ".so") {
				modules = append(modules, dir+"/"+name)
			}
		}
	}
	var b strings.Builder
	b.WriteString("# GdkPixbuf Image Loader Modules file\n# Automatically generated file, do not edit\n" +
		"# Created by gdk-pixbuf-query-loaders from gdk-pixbuf-" + version + "\n#\n")
	for _, m := range modules {
		if strings.HasPrefix(m, "-") {
			return 0, shell.Unsupported("gdk-pixbuf-query-loaders %s", m)
		}
		text, ok := pixbufLoaders[path.Base(m)]
		if !ok {
			return 0, shell.Unsupported("gdk-pixbuf-query-loaders of %s", m)
		}
		b.WriteString(strconv.Quote(m) + "\n" + text + "\n")
	}
	b.WriteByte('\n')
	_, err := p.Stdout.Write([]byte(b.String()))
	return 0, err
}
