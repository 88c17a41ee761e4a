//go:build linux

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// maxText bounds the files whose content is kept for a later diff, in bytes.
const maxText = 512 << 10

// walk reads the tree below root that dpkg left.
func walk(root string) (*manifest, map[string]time.Time, error) {
	owners, err := owners(root)
	if err != nil {
		return nil, nil, err
	}
	m := &manifest{Paths: map[string]entry{}, Gone: map[string][]string{}}
	changed, inode := map[string]time.Time{}, map[string]string{}
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == root {
			return err
		}
		p, st := strings.TrimPrefix(name, root+"/"), unix.Stat_t{}
		if err := unix.Lstat(name, &st); err != nil {
			return &fs.PathError{Op: "lstat", Path: name, Err: err}
		}
		e, err := look(name, &st)
		if err != nil {
			return err
		}
		if e.Owners = owners[p]; e.Type == file && keepText(p, e) {
			e.Text = readText(name)
		}
		if st.Nlink > 1 && e.Type != dir {
			inode[p] = fmt.Sprintf("%d:%d", st.Dev, st.Ino)
		}
		m.Paths[p], changed[p] = e, time.Unix(st.Ctim.Unix())
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	m.linkGroups(inode)
	if m.Packages, err = installed(root); err != nil {
		return nil, nil, err
	}
	for p, packages := range owners {
		if _, ok := m.Paths[p]; !ok {
			m.Gone[p] = packages
		}
	}
	return m, changed, nil
}

// look reads one path.
func look(name string, st *unix.Stat_t) (entry, error) {
	e := entry{Mode: st.Mode & 0o7777, UID: int(st.Uid), GID: int(st.Gid)}
	var err error
	switch st.Mode & syscall.S_IFMT {
	case syscall.S_IFDIR:
		e.Type = dir
	case syscall.S_IFLNK:
		e.Type, e.Mode = link, 0
		e.Target, err = os.Readlink(name)
	case syscall.S_IFREG:
		e.Type, e.Size = file, st.Size
		if e.SHA256, err = digest(name); err == nil {
			e.Caps = capabilities(name)
		}
	case syscall.S_IFIFO:
		e.Type = fifo
	case syscall.S_IFSOCK:
		e.Type = sockets
	default:
		kind := "b"
		if st.Mode&syscall.S_IFMT == syscall.S_IFCHR {
			kind = "c"
		}
		e.Type, e.Target = device, fmt.Sprintf("%s %d:%d", kind, unix.Major(st.Rdev), unix.Minor(st.Rdev))
	}
	return e, err
}

func digest(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// capabilities returns the file capabilities, capabilities(7), empty for none.
func capabilities(name string) string {
	b := make([]byte, 64)
	n, err := unix.Lgetxattr(name, "security.capability", b)
	if err != nil {
		return ""
	}
	return hex.EncodeToString(b[:n])
}

// keepText says whether a file is worth keeping for a diff: one that a script
// made, or one where scripts change what packages ship.
func keepText(p string, e entry) bool {
	if e.Size > maxText || mayDiffer(p) != "" {
		return false
	}
	return len(e.Owners) == 0 || strings.HasPrefix(p, "etc/") || strings.HasPrefix(p, "var/")
}

func readText(name string) string {
	b, err := os.ReadFile(name)
	if err != nil || !isText(b) {
		return ""
	}
	return string(b)
}

func isText(b []byte) bool {
	return utf8.Valid(b) && !strings.ContainsRune(string(b), 0)
}

// owners returns the packages that ship each path, from the lists that dpkg
// keeps, dpkg(1). Paths through links, such as /lib, are as packages ship them.
func owners(root string) (map[string][]string, error) {
	lists, err := filepath.Glob(filepath.Join(root, "var/lib/dpkg/info/*.list"))
	if err != nil {
		return nil, err
	}
	owners := map[string][]string{}
	for _, list := range lists {
		b, err := os.ReadFile(list)
		if err != nil {
			return nil, err
		}
		name, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(list), ".list"), ":")
		for p := range strings.Lines(string(b)) {
			if p = strings.Trim(p, "/\n"); p != "" && p != "." {
				owners[p] = append(owners[p], name)
			}
		}
	}
	return owners, nil
}

// installed returns what dpkg's status file has, as "name version architecture",
// sorted; of a package that is not wholly installed with its status.
func installed(root string) ([]string, error) {
	b, err := os.ReadFile(filepath.Join(root, "var/lib/dpkg/status"))
	if err != nil {
		return nil, err
	}
	var packages []string
	for stanza := range strings.SplitSeq(string(b), "\n\n") {
		fields := map[string]string{}
		for line := range strings.Lines(stanza) {
			if k, v, ok := strings.Cut(line, ": "); ok && line[0] != ' ' {
				fields[k] = strings.TrimSpace(v)
			}
		}
		if fields["Package"] == "" {
			continue
		}
		s := fields["Package"] + " " + fields["Version"] + " " + fields["Architecture"]
		if fields["Status"] != "install ok installed" {
			s += " (" + fields["Status"] + ")"
		}
		packages = append(packages, s)
	}
	slices.Sort(packages)
	return packages, nil
}
