package shell

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// path returns the absolute path of a name in the working directory.
func (r *run) path(name string) string {
	if strings.HasPrefix(name, "/") {
		return name
	}
	return strings.TrimSuffix(r.dir, "/") + "/" + name
}

// startDir makes the working directory that of PWD, where it is one, as shells do
// when they begin.
func (r *run) startDir() {
	r.vars.get("PWD").exported = true
	_ = r.assign("PWD", r.dir) // nothing of it is near a limit
}

// cd is XCU cd.
func cd(r *run, args []string) error {
	physical := false
	rest := args[1:]
	for len(rest) > 0 && (rest[0] == "-P" || rest[0] == "-L" || rest[0] == "--" || rest[0] == "-e") {
		physical = rest[0] == "-P" || physical && rest[0] != "-L"
		rest = rest[1:]
	}
	to, show := r.get("HOME"), false
	if len(rest) > 0 {
		to = rest[0]
	}
	if to == "-" {
		to, show = r.get("OLDPWD"), true
	}
	if to == "" {
		r.status = 0
		return nil
	}
	at, found := r.directory(to, physical)
	if cdpath := r.get("CDPATH"); cdpath != "" && !strings.HasPrefix(to, "/") && !strings.HasPrefix(to, ".") {
		for _, dir := range strings.Split(cdpath, ":") {
			if p, ok := r.directory(path.Join(dir, to), physical); ok {
				at, found, show = p, true, dir != "" && dir != "."
				break
			}
		}
	}
	if !found {
		if r.bash {
			return r.complain(1, "cd: %s: No such file or directory", to)
		}
		return r.fault("cd: can't cd to %s", to)
	}
	old := r.dir
	r.dir, r.status = at, 0
	for name, value := range map[string]string{"OLDPWD": old, "PWD": at} {
		if err := r.assign(name, value); err != nil {
			return r.refuse("cd", err)
		}
		r.vars.get(name).exported = true
	}
	if show {
		return r.print(at + "\n")
	}
	return nil
}

// directory returns the path that a change to a directory leads to: ".." goes back
// in the path that was taken, unless that is to be physical.
func (r *run) directory(to string, physical bool) (string, bool) {
	if physical {
		real, err := r.shell.FS.RealPath(r.path(to))
		return real, err == nil && r.shell.FS.IsDir(real)
	}
	at := path.Clean(r.path(to))
	return at, r.shell.FS.IsDir(at)
}

func pwd(r *run, args []string) error {
	dir := r.dir
	if len(args) > 1 && args[1] == "-P" {
		if real, err := r.shell.FS.RealPath(dir); err == nil {
			dir = real
		}
	}
	return r.print(dir + "\n")
}

// umask is XCU umask.
func umask(r *run, args []string) error {
	args = args[1:]
	if len(args) > 0 && args[0] == "-S" {
		if args = args[1:]; len(args) == 0 {
			m := ^r.umask & 0o777
			return r.print(fmt.Sprintf("u=%s,g=%s,o=%s\n", rwx(m>>6), rwx(m>>3), rwx(m)))
		}
	}
	if len(args) == 0 {
		return r.print(fmt.Sprintf("%04o\n", r.umask))
	}
	if args[0] == "" || !isDigit(rune(args[0][0])) {
		return r.symbolicUmask(args[0])
	}
	n, err := strconv.ParseUint(args[0], 8, 32)
	if err != nil || n > 0o777 {
		return r.fault("umask: Illegal number: %s", args[0])
	}
	r.umask, r.status = uint32(n), 0
	return nil
}

func rwx(m uint32) string {
	s := ""
	for i, c := range "rwx" {
		if m&(4>>i) != 0 {
			s += string(c)
		}
	}
	return s
}

// symbolicUmask takes a mode such as "u=rwx,go-w" (XCU chmod): what is not masked.
func (r *run) symbolicUmask(s string) error {
	mode := ^r.umask & 0o777
	for clause := range strings.SplitSeq(s, ",") {
		i := strings.IndexAny(clause, "+-=")
		if i < 0 || strings.Trim(clause[:i], "ugoa") != "" || strings.Trim(clause[i+1:], "rwx") != "" {
			return r.fault("umask: Illegal mode: %s", s)
		}
		who, perm := uint32(0), uint32(0)
		for _, c := range clause[:i] {
			who |= map[rune]uint32{'u': 0o700, 'g': 0o070, 'o': 0o007, 'a': 0o777}[c]
		}
		if i == 0 {
			who = 0o777
		}
		for _, c := range clause[i+1:] {
			perm |= map[rune]uint32{'r': 0o444, 'w': 0o222, 'x': 0o111}[c]
		}
		switch clause[i] {
		case '+':
			mode |= who & perm
		case '-':
			mode &^= who & perm
		default:
			mode = mode&^who | who&perm
		}
	}
	r.umask, r.status = ^mode&0o777, 0
	return nil
}
