package dpkg

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/debian"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// helperCall is one call of dpkg-maintscript-helper.
type helperCall struct {
	*shell.Proc
	script  string // preinst, postinst, ...
	path    string
	other   string // the new conffile, or the target of the link
	last    string // the last version that needs the change
	pkg     string
	action  string // the script's first argument
	version string // the script's second argument
}

// helperCommands are those of dpkg-maintscript-helper, with how many arguments
// come before the version.
var helperCommands = map[string]int{"rm_conffile": 1, "mv_conffile": 2, "symlink_to_dir": 2, "dir_to_symlink": 2}

// maintscriptHelper is dpkg-maintscript-helper(1).
func (d *Dpkg) maintscriptHelper(_ context.Context, p *shell.Proc) (int, error) {
	if len(p.Args) < 2 {
		return helperError(p, "missing command")
	}
	command, args := p.Args[1], p.Args[2:]
	if command == "supports" {
		return supports(p, args)
	}
	before, ok := helperCommands[command]
	if !ok {
		return helperError(p, "command %s is unknown\nHint: upgrading dpkg to a newer version might help.", command)
	}
	end := slices.Index(args, "--")
	if end < 0 {
		return helperError(p, "missing arguments after --")
	}
	c, complaint := readHelperCall(p, before, args[:end], args[end+1:])
	if complaint == "" {
		complaint = c.check(command)
	}
	if complaint != "" {
		return helperError(p, "%s", complaint)
	}
	switch {
	case c.script == "postrm":
		return 0, shell.Unsupported("dpkg-maintscript-helper in postrm")
	case c.script != "preinst" && c.script != "postinst":
		return 0, nil
	case command == "rm_conffile", command == "mv_conffile":
		if c.version == "" || !c.old() {
			return 0, nil // as in every new installation
		}
		return 0, shell.Unsupported("dpkg-maintscript-helper %s in an upgrade", command)
	case c.script == "preinst":
		if c.version == "" || !c.old() {
			return 0, nil
		}
		return 0, shell.Unsupported("dpkg-maintscript-helper %s in an upgrade", command)
	case c.action != "configure":
		return 0, nil
	case command == "symlink_to_dir":
		return c.finishLink()
	}
	return c.finishDir()
}

func helperError(p *shell.Proc, format string, args ...any) (int, error) {
	fmt.Fprintf(p.Stderr, "%s: error: %s\n", path.Base(p.Args[0]), fmt.Sprintf(format, args...))
	return 1, nil
}

func supports(p *shell.Proc, args []string) (int, error) {
	ok := false
	if len(args) > 0 {
		_, ok = helperCommands[args[0]]
	}
	for _, name := range []string{"DPKG_MAINTSCRIPT_NAME", "DPKG_MAINTSCRIPT_PACKAGE"} {
		if p.Getenv(name) == "" {
			warn(p, "environment variable %s missing", name)
			ok = false
		}
	}
	return status(ok), nil
}

// readHelperCall reads the arguments before and after the "--".
func readHelperCall(p *shell.Proc, before int, args, script []string) (c helperCall, complaint string) {
	at := func(list []string, i int) string {
		if i < len(list) {
			return list[i]
		}
		return ""
	}
	c = helperCall{
		Proc: p, script: p.Getenv("DPKG_MAINTSCRIPT_NAME"),
		path: at(args, 0), last: at(args, before), pkg: at(args, before+1),
		action: at(script, 0), version: at(script, 1),
	}
	if before == 2 {
		c.other = at(args, 1)
	}
	if c.pkg == "" {
		if c.pkg = p.Getenv("DPKG_MAINTSCRIPT_PACKAGE"); c.pkg != "" && p.Getenv("DPKG_MAINTSCRIPT_ARCH") != "" {
			c.pkg += ":" + p.Getenv("DPKG_MAINTSCRIPT_ARCH")
		}
	}
	switch {
	case c.pkg == "":
		return c, "couldn't identify the package"
	case c.script == "":
		return c, "environment variable DPKG_MAINTSCRIPT_NAME is required"
	case p.Getenv("DPKG_MAINTSCRIPT_PACKAGE") == "":
		return c, "environment variable DPKG_MAINTSCRIPT_PACKAGE is required"
	case c.action == "":
		return c, "maintainer script parameters are missing"
	}
	return c, ""
}

// check says what is wrong with the arguments, "" where nothing is.
func (c *helperCall) check(command string) string {
	switch command {
	case "rm_conffile":
		if !strings.HasPrefix(c.path, "/") {
			return "conffile '" + c.path + "' is not an absolute path"
		}
	case "mv_conffile":
		if !strings.HasPrefix(c.path, "/") {
			return "old-conffile '" + c.path + "' is not an absolute path"
		}
		if !strings.HasPrefix(c.other, "/") {
			return "new-conffile '" + c.other + "' is not an absolute path"
		}
	case "symlink_to_dir":
		switch {
		case c.path == "":
			return "symlink parameter is missing"
		case c.path[0] != '/':
			return "symlink pathname is not an absolute path"
		case strings.HasSuffix(c.path, "/"):
			return "symlink pathname ends with a slash"
		case c.other == "":
			return "original symlink target is missing"
		}
	case "dir_to_symlink":
		c.path = strings.TrimSuffix(c.path, "/")
		switch {
		case c.path == "":
			return "directory parameter is missing"
		case c.path[0] != '/':
			return "directory parameter is not an absolute path"
		case c.other == "":
			return "new symlink target is missing"
		}
	}
	if c.last != "" {
		if err := checkVersion(c.last); err != nil {
			return fmt.Sprintf("dpkg: error: version '%s' has bad syntax: %v", c.last, err)
		}
	}
	return ""
}

// old reports whether the version before this one needed the change (le-nl).
func (c *helperCall) old() bool {
	return c.last == "" || debian.CompareVersions(c.version, c.last) <= 0
}

// finishLink takes away the link that the preinst moved aside.
func (c *helperCall) finishLink() (int, error) {
	backup := c.path + ".dpkg-backup"
	target, err := c.FS.Readlink(backup)
	if err != nil {
		return 0, nil
	}
	if target != c.other {
		if real, err := c.FS.RealPath(backup); err != nil || real != c.other {
			return 0, nil
		}
	}
	if err := c.FS.Remove(backup); err != nil {
		return c.Fail(err)
	}
	return 0, nil
}

// finishDir puts the link in the place of the staging directory, whose contents
// it moves to where the link leads.
func (c *helperCall) finishDir() (int, error) {
	staging, backup := c.path+"/.dpkg-staging-dir", c.path+".dpkg-backup"
	n, err := c.FS.Lstat(c.path)
	if err != nil || n.Type != tree.Dir || !c.FS.IsDir(backup) || !c.FS.Exists(staging) {
		return 0, nil
	}
	to := c.other
	if !strings.HasPrefix(to, "/") {
		to = path.Dir(c.path) + "/" + to
	}
	if err := c.FS.Remove(staging); err != nil {
		return c.Fail(err)
	}
	names, err := c.FS.ReadDir(c.path)
	if err != nil {
		return c.Fail(err)
	}
	for _, name := range slices.Clone(names) {
		if err := c.FS.Rename(c.path+"/"+name, to+"/"+name); err != nil {
			return c.Fail(err)
		}
	}
	if err := c.FS.Remove(c.path); err != nil {
		return c.Fail(err)
	}
	if err := c.FS.Symlink(c.other, c.path); err != nil {
		return c.Fail(err)
	}
	if err := c.FS.RemoveAll(backup); err != nil {
		return c.Fail(err)
	}
	return 0, nil
}
