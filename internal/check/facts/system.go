package facts

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"path"
	"strings"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/tree"
)

// System is what the distribution's package database says.
type System struct {
	Database string // "dpkg", "apk", or "" where there is none that is read
	Packages []Package
	// Owner has the package of each path that the database lists.
	Owner map[string]string
	// Sums has the MD5 sum of the files that the database has one of; apk has SHA-1
	// instead, which is not compared.
	Sums     map[string][16]byte
	disputed map[string]bool
	// Conf has those of configuration files, which may be changed.
	Conf map[string][16]byte
	// Lists says that the database has the paths of packages, and not only their names.
	Lists bool
}

// Package is an installed package.
type Package struct{ Name, Version string }

// System returns the distribution's package database.
func (i *Image) System() *System { return i.system }

// Release returns a variable of os-release(5).
func (i *Image) Release(name string) string { return i.release[name] }

func (i *Image) readRelease() map[string]string {
	vars := map[string]string{}
	text := i.Text("etc/os-release")
	if text == nil {
		text = i.Text("usr/lib/os-release")
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			vars[name] = strings.Trim(value, `"'`)
		}
	}
	return vars
}

func (i *Image) readSystem() *System {
	s := &System{Owner: map[string]string{}, Sums: map[string][16]byte{}, Conf: map[string][16]byte{}, disputed: map[string]bool{}}
	if text := i.Text("var/lib/dpkg/status"); text != nil {
		s.Database = "dpkg"
		s.status(i, text)
	}
	for f, text := range i.Texts(func(name string) bool { return path.Dir(name) == "var/lib/dpkg/status.d" }) {
		s.Database = "dpkg"
		if strings.HasSuffix(f.Path, ".md5sums") {
			s.sums(i, strings.TrimSuffix(path.Base(f.Path), ".md5sums"), text)
			s.Lists = true
			continue
		}
		s.status(i, text)
	}
	for f, text := range i.Texts(func(name string) bool { return path.Dir(name) == "var/lib/dpkg/info" }) {
		name, kind, _ := cutLast(path.Base(f.Path), '.')
		name, _, _ = strings.Cut(name, ":")
		if kind == "list" {
			s.Lists = true
			s.list(i, name, text)
		} else {
			s.sums(i, name, text)
		}
	}
	for _, name := range []string{"lib/apk/db/installed", "usr/lib/apk/db/installed"} {
		if text := i.Text(name); text != nil {
			s.Database, s.Lists = "apk", true
			s.apk(i, text)
		}
	}
	return s
}

func cutLast(s string, sep byte) (before, after string, ok bool) {
	at := strings.LastIndexByte(s, sep)
	if at < 0 {
		return s, "", false
	}
	return s[:at], s[at+1:], true
}

// status reads the names of dpkg's status file (dpkg(1), deb-control(5)).
func (s *System) status(i *Image, text []byte) {
	var p Package
	installed := true
	flush := func() {
		if p.Name != "" && installed {
			s.Packages = append(s.Packages, p)
		}
		p, installed = Package{}, true
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if f := strings.Fields(lines.Text()); len(f) > 1 && strings.HasPrefix(lines.Text(), " /") { // of Conffiles
			if sum, ok := sumOf(f[1]); ok {
				s.Conf[i.Place(f[0])] = sum
			}
			continue
		}
		name, value, _ := strings.Cut(lines.Text(), ":")
		switch value = strings.TrimSpace(value); name {
		case "":
			flush()
		case "Package":
			p.Name = value
		case "Version":
			p.Version = value
		case "Status":
			installed = strings.HasSuffix(value, " installed")
		}
	}
	flush()
}

// list reads the paths of one package.
func (s *System) list(i *Image, name string, text []byte) {
	for line := range strings.SplitSeq(string(text), "\n") {
		if strings.HasPrefix(line, "/") {
			s.own(i, line, name)
		}
	}
}

// own notes whose a path is: as the package has it, and where links of a merged /usr
// lead it.
func (s *System) own(i *Image, name, owner string) string {
	p := i.Place(name)
	if len(s.Owner) >= maxPaths {
		i.Incomplete = true
		return p
	}
	s.Owner[p] = owner
	return p
}

// Place returns where a path of a package lies: the links of the directories above it
// are followed, as dpkg follows them when it unpacks, and its own is not.
func (i *Image) Place(name string) string {
	p := tree.Clean(name)
	dir, base := path.Split(p)
	if dir = strings.TrimSuffix(dir, "/"); dir == "" {
		return p
	}
	if f := i.Resolve(dir); f != nil && f.Type == Directory {
		return path.Join(f.Path, base)
	}
	return p
}

// sums reads a package's md5sums: 32 digits, two spaces, a path without its slash.
func (s *System) sums(i *Image, name string, text []byte) {
	for line := range strings.SplitSeq(string(text), "\n") {
		digits, file, ok := strings.Cut(line, "  ")
		sum, isSum := sumOf(digits)
		if !ok || !isSum {
			continue
		}
		p := i.Place(file)
		if other, ok := s.Sums[p]; ok && other != sum || s.disputed[p] {
			s.disputed[p] = true // by two packages, of which one's file is diverted (dpkg-divert(1))
			delete(s.Sums, p)
		} else {
			s.Sums[p] = sum
		}
		if _, listed := s.Owner[p]; !listed {
			s.Owner[p] = name
		}
	}
}

func sumOf(digits string) (sum [16]byte, ok bool) {
	if len(digits) != 32 {
		return sum, false
	}
	n, err := hex.Decode(sum[:], []byte(digits))
	return sum, err == nil && n == 16
}

// apk reads apk's database (apk-installed(5)): a letter, a colon and a value a line.
func (s *System) apk(i *Image, text []byte) {
	var p Package
	dir := ""
	flush := func() {
		if p.Name != "" {
			s.Packages = append(s.Packages, p)
		}
		p = Package{}
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		key, value, _ := strings.Cut(line, ":")
		switch key {
		case "":
			flush()
		case "P":
			p.Name = value
		case "V":
			p.Version = value
		case "F":
			dir = value
			s.own(i, dir, p.Name)
		case "R":
			s.own(i, path.Join(dir, value), p.Name)
		}
	}
	flush()
}

// Shipped reports whether the file is, to the byte, one that a package shipped: by the
// record of the build, or by the database's sum.
func (i *Image) Shipped(f *File) bool {
	if f.Vouched || f.Type != Regular {
		return f.Vouched
	}
	if sum, ok := i.system.Sums[f.Path]; ok {
		return sum == f.MD5
	}
	sum, ok := i.system.Conf[f.Path]
	return ok && sum == f.MD5
}

// vouches reports whether the record of the build says that a file is to the byte of a
// package, in a layer that still is the one that the record knows. What the builder writes
// of a package's control file is the package's too.
func vouches(src *oci.Image, rec *record.Record, name string, layer int, size int64) bool {
	if rec == nil || layer >= len(rec.Layers) || rec.Layers[layer].DiffID != src.Layers[layer].DiffID {
		return false
	}
	origin, in, of, ok := rec.Place(name)
	if !ok {
		return rec.Partial && len(rec.Layers[layer].Packages) > 0
	}
	packaged := origin.Kind == tree.FromPackage || origin.Kind == tree.FromBuilder && origin.Package != ""
	return packaged && in == layer && of == size
}
