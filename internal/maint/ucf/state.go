package ucf

import (
	"path"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// maxCached is the size, in bytes, from which a new version is kept for a three-way
// merge only where that is asked for.
const maxCached = 25600

// copyFile copies content and, with preserve, mode, owner and time (cp -p).
func copyFile(p *shell.Proc, from, to string, preserve bool) error {
	n, err := p.FS.Stat(from)
	if err != nil {
		return err
	}
	b, err := p.FS.ReadFile(from)
	if err != nil {
		return err
	}
	mode, uid, gid, time := n.Mode, n.UID, n.GID, n.ModTime
	if err := p.FS.WriteFile(to, b, mode&^p.Umask); err != nil || !preserve {
		return err
	}
	if err := p.FS.Chown(to, uid, gid, true); err != nil {
		return err
	}
	if err := p.FS.Chmod(to, mode); err != nil {
		return err
	}
	return p.FS.Touch(to, time, true)
}

// rotate keeps the last versions of a state file, as NAME.0 to NAME.7.
func rotate(p *shell.Proc, name string) error {
	for i := 6; i >= 0; i-- {
		old := name + "." + strconv.Itoa(i)
		if p.FS.Exists(old) {
			if err := copyFile(p, old, name+"."+strconv.Itoa(i+1), true); err != nil {
				return err
			}
		}
	}
	if p.FS.Exists(name) {
		return copyFile(p, name, name+".0", true)
	}
	return nil
}

// endsIn reports whether a line of a state file is about the path name.
func endsIn(line, name string) bool {
	rest, ok := strings.CutSuffix(strings.TrimSuffix(line, "\n"), name)
	return ok && rest != "" && strings.ContainsAny(rest[len(rest)-1:], " \t\v\f\r")
}

// about returns the lines of a state file that are about a path, and the others.
func about(p *shell.Proc, file, name string) (those, others []string) {
	b, err := p.FS.ReadFile(file)
	if err != nil {
		return nil, nil
	}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSuffix(line, "\n"); endsIn(line, name) {
			those = append(those, line)
		} else {
			others = append(others, line)
		}
	}
	return those, others
}

// replace writes a state file anew.
func replace(p *shell.Proc, name string, lines []string) error {
	text := ""
	if len(lines) > 0 {
		text = strings.Join(lines, "\n") + "\n"
	}
	temporary := name + ".tmp"
	if err := p.FS.WriteFile(temporary, []byte(text), 0o666&^p.Umask); err != nil {
		return err
	}
	return p.FS.Rename(temporary, name)
}

func (c *call) hashfile() string { return path.Join(c.stateDir, "hashfile") }

func (c *call) cached() string {
	return path.Join(c.stateDir, "cache", strings.ReplaceAll(c.dest, "/", ":"))
}

// recorded returns the MD5 that is recorded for the destination, "" for none.
func (c *call) recorded() string {
	those, _ := about(c.Proc, c.hashfile(), c.dest)
	return firstWords(strings.Join(those, "\n"))
}

// record writes down the MD5 of the new file. Of the hashfile only the last version
// is kept: by then debconf has left the shell of ucf without field separators, and
// its loop over older versions is over one word.
func (c *call) record() error {
	if c.FS.Exists(c.hashfile()) {
		if err := copyFile(c.Proc, c.hashfile(), c.hashfile()+".0", true); err != nil {
			return err
		}
	}
	b, err := c.FS.ReadFile(c.file)
	if err != nil {
		return err
	}
	_, lines := about(c.Proc, c.hashfile(), c.dest)
	if err := replace(c.Proc, c.hashfile(), append(lines, sum(b)+"  "+c.dest)); err != nil {
		return err
	}
	if c.threeWay || len(b) < maxCached {
		return copyFile(c.Proc, c.file, c.cached(), true)
	}
	return nil
}

// forget is ucf --purge.
func (c *call) forget() error {
	if err := rotate(c.Proc, c.hashfile()); err != nil {
		return err
	}
	if c.FS.Exists(c.hashfile()) {
		_, lines := about(c.Proc, c.hashfile(), c.dest)
		if err := replace(c.Proc, c.hashfile(), lines); err != nil {
			return err
		}
	}
	return c.FS.RemoveAll(c.cached())
}
