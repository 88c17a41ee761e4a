package glib

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/getopt"
	"github.com/hardpan/hardpan/internal/maint/shell"
)

// Commands returns the programs by name.
func Commands() map[string]shell.Command {
	return map[string]shell.Command{
		"glib-compile-schemas": getopt.Command("version targetdir= strict dry-run allow-any-name", 1, compileSchemas),
	}
}

// compileSchemas is glib-compile-schemas(1).
func compileSchemas(_ context.Context, c *getopt.Call) (int, error) {
	if c.Has("version") {
		return 0, shell.Unsupported("glib-compile-schemas --version")
	}
	if len(c.Operands) != 1 {
		fmt.Fprintln(c.Stderr, "You should give exactly one directory name")
		return 1, nil
	}
	dir := c.Operands[0]
	target := path.Join(dir, "gschemas.compiled")
	if c.Has("targetdir") {
		target = path.Join(c.Value("targetdir"), "gschemas.compiled")
	}
	names, err := c.FS.ReadDir(c.Path(dir))
	if err != nil {
		return c.Fail(err)
	}
	schemas, overrides := schemaFiles(names)
	if len(schemas) == 0 {
		said := "removed existing output file."
		if err := c.FS.Remove(c.Path(target)); err != nil {
			said = "doing nothing."
		}
		fmt.Fprintln(c.Stdout, "No schema files found:", said)
		return 0, nil
	}
	job := &compilation{Call: c, dir: dir, strict: c.Has("strict")}
	b, ok := job.run(schemas, overrides)
	if !ok {
		return 1, nil
	}
	if c.Has("dry-run") {
		return 0, nil
	}
	if c.FS.Origin != nil {
		o := *c.FS.Origin
		for _, name := range append(schemas, overrides...) {
			o.Inputs = append(o.Inputs, path.Join(c.Path(dir), name))
		}
		c.FS.Origin = &o
	}
	if err := c.FS.WriteFile(c.Path(target), b, 0o666&^c.Umask); err != nil {
		return c.Fail(err)
	}
	return 0, nil
}

// schemaFiles picks the files of a directory, in the order in which they are read:
// enumerations first.
func schemaFiles(names []string) (schemas, overrides []string) {
	var enums []string
	for _, name := range slices.Sorted(slices.Values(names)) {
		switch {
		case strings.HasSuffix(name, ".enums.xml"):
			enums = append(enums, name)
		case strings.HasSuffix(name, ".gschema.xml"):
			schemas = append(schemas, name)
		case strings.HasSuffix(name, ".gschema.override"):
			overrides = append(overrides, name)
		}
	}
	return append(enums, schemas...), overrides
}

// compilation is one run of glib-compile-schemas.
type compilation struct {
	*getopt.Call
	dir     string
	strict  bool
	schemas HashTable[*schema]
}

func (c *compilation) say(format string, args ...any) { fmt.Fprintf(c.Stderr, format+"\n", args...) }

// run returns the database, and false where --strict ends it.
func (c *compilation) run(files, overrides []string) ([]byte, bool) {
	r := &schemaReader{
		strict: c.strict, anyName: c.Has("allow-any-name"),
		schemas: &c.schemas, enums: map[string]*enumeration{}, flags: map[string]*enumeration{},
	}
	for _, name := range files {
		name = path.Join(c.dir, name)
		b, err := c.FS.ReadFile(c.Path(name))
		if err != nil {
			c.say("Failed to open file \u201c%s\u201d: %s", name, shell.Strerror(err))
			continue
		}
		if err := r.read(string(b)); err != nil {
			if c.strict {
				c.say("%s: %v.  --strict was specified; exiting.", name, err)
				return nil, false
			}
			c.say("%s: %v.  This entire file has been ignored.", name, err)
		}
	}
	for _, name := range overrides {
		if !c.overrideFile(path.Join(c.dir, name)) {
			return nil, false
		}
	}
	return database(&c.schemas, func(s string) { c.say("%s", s) }), true
}

// overrideFile sets the defaults that a file of a distributor has, and returns false
// where --strict ends it.
func (c *compilation) overrideFile(name string) bool {
	b, err := c.FS.ReadFile(c.Path(name))
	var f *KeyFile
	if err == nil {
		f, err = ParseKeyFile(string(b))
	}
	if err != nil {
		if c.strict {
			c.say("%s: %s.  --strict was specified; exiting.", name, shell.Strerror(err))
			return false
		}
		c.say("%s: %s.  Ignoring this file.", name, shell.Strerror(err))
		return true
	}
	for _, g := range f.Groups {
		id, desktop, forDesktop := strings.Cut(g.Name, ":")
		s, ok := c.schemas.Get(id)
		if !ok {
			continue // schemas that are not installed are common
		}
		for _, key := range g.Keys {
			fault := s.set(key, g.Values[key], desktop, forDesktop)
			if fault == "" {
				continue
			}
			fault = fmt.Sprintf("%s for key \u201c%s\u201d in schema \u201c%s\u201d in override file \u201c%s\u201d", fault, key, g.Name, name)
			if c.strict {
				c.say("%s and --strict was specified; exiting.", fault)
				return false
			}
			c.say("%s; ignoring override for this key.", fault)
		}
	}
	return true
}

// set overrides a default, and returns what keeps it from doing so.
func (s *schema) set(key, text, desktop string, forDesktop bool) (fault string) {
	k, ok := s.keys.Get(key)
	if !ok || k.typ == "" {
		return "No such key"
	}
	if forDesktop && k.l10n != 0 {
		return "Cannot provide per-desktop overrides"
	}
	v, err := parseVariant(k.typ, text)
	if err != nil {
		return err.Error()
	}
	if !k.fits(v) {
		return "Not in the range or the list of valid choices"
	}
	if !forDesktop {
		k.value = v
		return ""
	}
	if k.desktops == nil {
		k.desktops = &HashTable[*variant]{}
	}
	k.desktops.Set(desktop, v)
	return ""
}
