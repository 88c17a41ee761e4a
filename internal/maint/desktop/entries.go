package desktop

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hardpan/hardpan/internal/maint/getopt"
	"github.com/hardpan/hardpan/internal/maint/glib"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// updateDesktop is update-desktop-database(1): mimeinfo.cache lists the desktop
// entries that open each MIME type.
func updateDesktop(_ context.Context, c *getopt.Call) (int, error) {
	if c.Has("version") {
		return 0, shell.Unsupported("update-desktop-database --version")
	}
	dirs := c.Operands
	if len(dirs) == 0 {
		data := c.Getenv("XDG_DATA_DIRS")
		if data == "" {
			data = "/usr/local/share/:/usr/share/"
		}
		for _, dir := range strings.Split(data, ":") {
			dirs = append(dirs, strings.TrimRight(dir, "/")+"/applications")
		}
	}
	done := false
	for _, dir := range dirs {
		e := &entries{Call: c, opens: map[string][]string{}}
		dir = c.Path(dir)
		if err := e.directory(dir, "", 0); err != nil {
			return 0, err
		}
		if !c.FS.IsDir(dir) {
			continue
		}
		inputs(c.Proc, e.files...)
		if err := c.FS.WriteFile(dir+"/.mimeinfo.cache", e.cache(), 0o666&^c.Umask); err != nil {
			return c.Fail(err)
		}
		if err := c.FS.Rename(dir+"/.mimeinfo.cache", dir+"/mimeinfo.cache"); err != nil {
			return c.Fail(err)
		}
		done = true
	}
	if !done {
		if !c.Has("quiet") {
			fmt.Fprintf(c.Stderr, "The databases in [%s] could not be updated.\n", strings.Join(dirs, ", "))
		}
		return 1, nil
	}
	return 0, nil
}

// entries are the desktop entries of a directory, by what they open.
type entries struct {
	*getopt.Call
	opens map[string][]string
	files []string
}

const maxEntryDepth = 64 // of directories, which links may make endless

// directory reads the entries of a directory and those in it, whose names get a
// prefix.
func (e *entries) directory(dir, prefix string, depth int) error {
	if depth > maxEntryDepth {
		return shell.Unsupported("desktop entries in directories nested more than %d deep", maxEntryDepth)
	}
	names, err := e.FS.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, name := range names {
		at := dir + "/" + name
		n, err := e.FS.Stat(at)
		switch {
		case err != nil:
		case n.Type == tree.Dir:
			if err := e.directory(at, prefix+name+"-", depth+1); err != nil {
				return err
			}
		case strings.HasSuffix(name, ".desktop"):
			if b, err := e.FS.ReadFile(at); err == nil {
				e.entry(at, prefix+name, string(b))
			}
		}
	}
	return nil
}

// entry takes in one entry. What cannot be read opens nothing.
func (e *entries) entry(at, name, text string) {
	e.files = append(e.files, at)
	f, err := glib.ParseKeyFile(text)
	if err != nil {
		e.say("Could not parse file \"%s\": %v", at, err)
		return
	}
	g := f.Group("Desktop Entry")
	if g == nil {
		e.say("Could not parse file \"%s\": it has no group \"Desktop Entry\"", at)
		return
	}
	if hidden := strings.TrimRight(g.Values["Hidden"], " \t\n\f\r"); hidden == "true" || hidden == "1" {
		return
	}
	list, ok := g.List("MimeType")
	if !ok || !utf8.ValidString(g.Values["MimeType"]) {
		return
	}
	for _, typ := range list {
		typ = strings.TrimRight(typ, " \t\n\f\r")
		if !validMIME(typ) {
			e.say("Error in file \"%s\": \"%s\" is an invalid MIME type", at, typ)
			continue
		}
		if !slices.Contains(e.opens[typ], name) {
			e.opens[typ] = append(e.opens[typ], name)
		}
	}
}

func (e *entries) say(format string, args ...any) {
	if !e.Has("quiet") {
		fmt.Fprintf(e.Stderr, format+"\n", args...)
	}
}

// cache returns the file.
func (e *entries) cache() []byte {
	types := make([]string, 0, len(e.opens))
	for typ := range e.opens {
		types = append(types, typ)
	}
	slices.Sort(types)
	b := []byte("[MIME Cache]\n")
	for _, typ := range types {
		slices.Sort(e.opens[typ])
		b = fmt.Appendf(b, "%s=%s;\n", typ, strings.Join(e.opens[typ], ";"))
	}
	return b
}

// Of media types that are not registered, those are taken that desktops use, and some
// whole types for they are so common (mimeutils.c of desktop-file-utils).
var (
	knownMedia = []string{
		"inode", "x-content", "x-scheme-handler", "chemical", "x-directory", "application", "audio", "font", "image", "model",
		"text", "video", "message", "multipart",
	}
	knownTypes = []string{"misc/ultravox", "flv-application/octet-stream"}
	oldTypes   = []string{"123", "cab", "cdr", "doc", "hlp", "ini", "lwp", "lzh", "mdb", "uu", "xls"} // after "zz-application/zz-winassoc-"
)

// validMIME says whether a MIME type goes into the cache.
func validMIME(typ string) bool {
	media, subtype, ok := strings.Cut(typ, "/")
	if !ok || subtype == "" || !isToken(subtype) {
		return false
	}
	if old, ok := strings.CutPrefix(typ, "zz-application/zz-winassoc-"); ok && slices.Contains(oldTypes, old) {
		return true
	}
	private := len(media) >= 2 && strings.EqualFold(media[:2], "x-") && isToken(media[2:])
	return private || slices.Contains(knownMedia, media) || slices.Contains(knownTypes, typ)
}

// isToken says whether all bytes may be in a token (RFC 2045).
func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == 0x7f || strings.IndexByte("()<>@,;:\\\"/[]?=", c) >= 0 {
			return false
		}
	}
	return true
}
