package files

import (
	"io/fs"
	"strconv"
	"strings"
	"syscall"

	"github.com/hardpan/hardpan/internal/tree"
)

// pair is one file that cp, mv, ln or install is to bring somewhere.
type pair struct{ from, to string }

// targets returns what the operands say that goes where: files into a directory, or
// one file to a name. isDir says whether the last operand is a directory to put
// things into.
func (j *job) targets(isDir func(string) bool) ([]pair, error) {
	files := j.Operands
	dir, into := j.Value("target-directory"), j.Has("target-directory")
	switch {
	case into && j.Has("no-target-directory"):
		return nil, j.usage("cannot combine --target-directory (-t) and --no-target-directory (-T)")
	case len(files) == 0:
		return nil, j.missing()
	case into:
		if !j.isDir(dir) {
			return nil, j.notDirectory(dir, "target directory")
		}
	case len(files) == 1:
		return nil, j.invalid("missing destination file operand after '%s'", files[0])
	case j.Has("no-target-directory"):
		if len(files) > 2 {
			return nil, j.invalid("extra operand '%s'", files[2])
		}
		return []pair{{files[0], files[1]}}, nil
	default:
		dir, files = files[len(files)-1], files[:len(files)-1]
		if !isDir(dir) {
			if len(files) > 1 {
				return nil, j.notDirectory(dir, "target")
			}
			return []pair{{files[0], dir}}, nil
		}
	}
	var pairs []pair
	for _, name := range files {
		to := join(dir, base(name))
		if j.Has("parents") {
			to = join(dir, name)
		}
		pairs = append(pairs, pair{name, to})
	}
	return pairs, nil
}

func (j *job) notDirectory(name, what string) error {
	_, err := j.stat(name)
	if err == nil {
		err = pathError(syscall.ENOTDIR)
	}
	return j.fail(err, "%s '%s'", what, name)
}

// backup moves what is at name aside, where the options ask for a backup; moved says
// that it did (cp(1), VERSION_CONTROL).
func (j *job) backup(name string) (moved bool, err error) {
	j.aside = ""
	to, err := j.backupName(name)
	if to == "" || err != nil {
		return false, err
	}
	j.aside = to
	err = j.FS.Rename(j.Path(name), j.Path(to))
	if _, ok := err.(*fs.PathError); ok {
		return false, j.fail(err, "cannot backup '%s'", name)
	}
	return err == nil, err
}

// backs reports whether the options ask for backups.
func (j *job) backs() bool { return j.Last("b", "backup", "suffix") != "" }

// backedUp is what -v says of the last backup.
func (j *job) backedUp() string {
	if j.aside == "" {
		return ""
	}
	return " (backup: '" + j.aside + "')"
}

// backupName returns the name of the backup of a file, "" for none.
func (j *job) backupName(name string) (string, error) {
	if !j.backs() {
		return "", nil
	}
	control := j.Value("backup")
	if control == "" {
		control = j.Getenv("VERSION_CONTROL")
	}
	suffix := j.Value("suffix")
	if suffix == "" {
		suffix = j.Getenv("SIMPLE_BACKUP_SUFFIX")
	}
	if suffix == "" || strings.Contains(suffix, "/") {
		suffix = "~"
	}
	latest := j.latestBackup(name)
	switch control {
	case "none", "off":
		return "", nil
	case "simple", "never":
		return name + suffix, nil
	case "", "existing", "nil":
		if latest == 0 {
			return name + suffix, nil
		}
		fallthrough
	case "numbered", "t":
		return name + ".~" + strconv.Itoa(latest+1) + "~", nil
	}
	return "", j.usage("invalid argument '%s' for 'backup type'", control)
}

// latestBackup returns the highest number of the numbered backups of a file.
func (j *job) latestBackup(name string) int {
	trimmed := strings.TrimRight(j.Path(name), "/")
	i := strings.LastIndexByte(trimmed, '/') + 1
	names, err := j.FS.ReadDir(trimmed[:i])
	if err != nil {
		return 0
	}
	highest := 0
	for _, other := range names {
		if rest, ok := strings.CutPrefix(other, trimmed[i:]+".~"); ok {
			if n, err := strconv.Atoi(strings.TrimSuffix(rest, "~")); err == nil && strings.HasSuffix(rest, "~") {
				highest = max(highest, n)
			}
		}
	}
	return highest
}

// typeName is what the programs call the type of a file in messages.
func typeName(n *tree.Node) string {
	switch {
	case n.Type == tree.Dir:
		return "directory"
	case n.Type == tree.Symlink:
		return "symbolic link"
	case n.Size == 0:
		return "regular empty file"
	}
	return "regular file"
}
