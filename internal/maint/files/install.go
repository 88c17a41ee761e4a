package files

import (
	"context"
	"path"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/accounts"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

var install = program("b backup? c C|compare d|directory D g|group= m|mode= o|owner= p|preserve-timestamps s|strip strip-program= S|suffix= "+
	"t|target-directory= T|no-target-directory v|verbose preserve-context Z context? debug", (*job).install)

// installed is what install gives the files and directories that it makes.
type installed struct {
	mode  mode
	owner ownership
}

// install is install(1).
func (j *job) install(ctx context.Context) error {
	if j.Has("strip") {
		return shell.Unsupported("install: option -s")
	}
	as := installed{mode: mode{{op: '=', who: allBits, value: 0o755, mentioned: allBits}}, owner: ownership{owned, owned}}
	if j.Has("mode") {
		m, ok := parseMode(j.Value("mode"))
		if !ok {
			return j.usage("invalid mode '%s'", j.Value("mode"))
		}
		as.mode = m
	}
	names := accounts.Names(j.FS)
	ok := true
	if j.Has("owner") {
		if as.owner.uid, ok = userID(names, j.Value("owner")); !ok {
			return j.usage("invalid user '%s'", j.Value("owner"))
		}
	}
	if j.Has("group") {
		if as.owner.gid, ok = groupID(names, j.Value("group")); !ok {
			return j.usage("invalid group '%s'", j.Value("group"))
		}
	}
	if j.Has("directory") {
		return j.installDirs(as)
	}
	if j.Has("D") && j.Has("target-directory") {
		if ok, err := j.installParents(join(j.Value("target-directory"), "x")); !ok || err != nil {
			return err
		}
	}
	pairs, err := j.targets(j.isDir)
	if err != nil || j.status != 0 {
		return err
	}
	for _, p := range pairs {
		if err := j.installFile(ctx, p, as); err != nil {
			return err
		}
	}
	return nil
}

func (j *job) installFile(ctx context.Context, p pair, as installed) error {
	if j.Has("D") {
		if ok, err := j.installParents(p.to); !ok || err != nil {
			return err
		}
	}
	c := &copier{job: j, follow: 'L', replace: true, noMode: true, made: map[string]bool{}}
	c.keep.time = j.Has("preserve-timestamps")
	src, err := c.source(p.from, true)
	if err == nil && src.Type == tree.Dir {
		return j.usage("omitting directory '%s'", p.from)
	}
	c.origin(p.from)
	if j.Has("compare") && j.same(p, src, as) {
		return nil
	}
	if err := c.copy(ctx, p.from, p.to, true); err != nil || j.status != 0 {
		return err
	}
	return j.setInstalled(p.to, as)
}

// same reports whether -C leaves the file that is there.
func (j *job) same(p pair, src *tree.Node, as installed) bool {
	dst, err := j.lstat(p.to)
	return err == nil && src != nil && dst.Type == tree.File && dst.SHA256 == src.SHA256 && dst.Mode == as.mode.apply(0, false, 0) &&
		(as.owner.uid == owned || as.owner.uid == dst.UID) && (as.owner.gid == owned || as.owner.gid == dst.GID)
}

func (j *job) setInstalled(name string, as installed) error {
	n, err := j.stat(name)
	if err != nil {
		return j.fail(err, "cannot access '%s'", name)
	}
	if err := j.FS.Chown(j.Path(name), as.owner.uid, as.owner.gid, true); err != nil {
		return j.fail(err, "cannot change ownership of '%s'", name)
	}
	perm := as.mode.apply(0, n.Type == tree.Dir, 0)
	if n.Type == tree.Dir {
		perm |= n.Mode & as.mode.kept()
	}
	if err := j.FS.Chmod(j.Path(name), perm); err != nil {
		return j.fail(err, "cannot change permissions of '%s'", name)
	}
	return nil
}

// installParents makes the directories above a file, 0755 whatever the umask says.
func (j *job) installParents(name string) (bool, error) {
	umask := j.Umask
	j.Umask = 0o022
	defer func() { j.Umask = umask }()
	return j.parents(name)
}

// installDirs is install -d: the last directory of each path gets mode and owner, be
// it new or not.
func (j *job) installDirs(as installed) error {
	if len(j.Operands) == 0 {
		return j.missing()
	}
	for _, name := range j.Operands {
		ok, err := j.installParents(name)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if !j.isDir(name) {
			if err := j.FS.Mkdir(strings.TrimRight(path.Clean(j.Path(name)), "/"), 0o755); err != nil {
				if err := j.fail(err, "cannot create directory '%s'", name); err != nil {
					return err
				}
				continue
			}
			if err := j.tell("install: creating directory '%s'", name); err != nil {
				return err
			}
		}
		if err := j.setInstalled(name, as); err != nil {
			return err
		}
	}
	return nil
}
