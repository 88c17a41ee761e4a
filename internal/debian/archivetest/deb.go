package archivetest

import (
	"archive/tar"
	"bytes"
	"crypto/md5"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// Epoch is the time of everything in a fixture that states none.
var Epoch = time.Date(2025, 8, 9, 0, 0, 0, 0, time.UTC)

// Package describes one binary package. Only Name is required.
type Package struct {
	Name         string
	Version      string            // "1.0-1" where empty
	Architecture string            // "all" where empty
	Component    string            // "main" where empty
	Fields       map[string]string // further fields of the control file, such as Depends; empty values leave out a default
	Files        []File            // parents that are not listed are added as root's directories of mode 0755
	Control      map[string]string // further members of control.tar: maintainer scripts (mode 0755), triggers, ...
	Conffiles    []string          // absolute paths
	// Compression of the members: "xz" (where empty), "gz", "zst" or "none".
	ControlCompression string
	DataCompression    string
}

// File is one member of data.tar. Only Path is required.
type File struct {
	Path    string // with or without a leading slash; a trailing slash makes a directory
	Content string
	Mode    int64     // 0644, or 0755 for a directory, 0777 for a symbolic link, where 0
	Type    byte      // a type of archive/tar; a regular file, a directory or, with Target, a symbolic link where 0
	Target  string    // of a symbolic or hard link
	UID     int       // 0 is root
	GID     int       // 0 is root
	User    string    // "root" where UID is 0
	Group   string    // "root" where GID is 0
	Time    time.Time // Epoch where zero
	Major   int64     // of a device
	Minor   int64     // of a device
}

func orDefault(v, def string) string {
	if v == "" {
		return def
	}
	return v
}

func (p Package) version() string      { return orDefault(p.Version, "1.0-1") }
func (p Package) architecture() string { return orDefault(p.Architecture, "all") }
func (p Package) component() string    { return orDefault(p.Component, "main") }

// Filename returns the path of the package in the pool.
func (p Package) Filename() string {
	_, version, ok := strings.Cut(p.version(), ":") // the epoch is not part of the name
	if !ok {
		version = p.version()
	}
	return fmt.Sprintf("pool/%s/%c/%s/%s_%s_%s.deb", p.component(), p.Name[0], p.Name, p.Name, version, p.architecture())
}

// ControlFile returns the text of DEBIAN/control.
func (p Package) ControlFile() string {
	fields := map[string]string{
		"Maintainer":     "Fixture <fixture@example.org>",
		"Installed-Size": fmt.Sprint(p.installedSize()),
		"Section":        "misc",
		"Priority":       "optional",
		"Description":    "fixture package " + p.Name,
	}
	maps.Copy(fields, p.Fields)
	var b strings.Builder
	fmt.Fprintf(&b, "Package: %s\nVersion: %s\nArchitecture: %s\n", p.Name, p.version(), p.architecture())
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if fields[name] != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, fields[name])
		}
	}
	return b.String()
}

// installedSize is in KiB, each file rounded up (Debian Policy 5.6.20).
func (p Package) installedSize() int {
	size := 0
	for _, f := range p.Files {
		size += (len(f.Content) + 1023) / 1024
	}
	return size
}

// Deb returns the package as a file (deb(5)).
func (p Package) Deb() ([]byte, error) {
	control, err := p.controlTar()
	if err != nil {
		return nil, err
	}
	data, err := p.dataTar()
	if err != nil {
		return nil, err
	}
	members := []Member{{Name: "debian-binary", Content: []byte("2.0\n")}}
	for _, part := range []struct {
		name, compression string
		tar               []byte
	}{{"control.tar", p.ControlCompression, control}, {"data.tar", p.DataCompression, data}} {
		compression := orDefault(part.compression, "xz")
		packed, err := Compress(compression, part.tar)
		if err != nil {
			return nil, fmt.Errorf("package %s: %w", p.Name, err)
		}
		if compression != "none" {
			part.name += "." + compression
		}
		members = append(members, Member{part.name, packed})
	}
	return Ar(members), nil
}

func (p Package) controlTar() ([]byte, error) {
	files := map[string]string{"control": p.ControlFile()}
	if len(p.Conffiles) > 0 {
		files["conffiles"] = strings.Join(p.Conffiles, "\n") + "\n"
	}
	var sums strings.Builder
	for _, f := range p.Files {
		if f.header().Typeflag == tar.TypeReg {
			fmt.Fprintf(&sums, "%x  %s\n", md5.Sum([]byte(f.Content)), strings.Trim(path.Clean(f.Path), "/"))
		}
	}
	if sums.Len() > 0 {
		files["md5sums"] = sums.String()
	}
	maps.Copy(files, p.Control)
	members := []File{{Path: "./", Mode: 0o755}}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f := File{Path: "./" + name, Content: files[name]}
		if slices.Contains([]string{"preinst", "postinst", "prerm", "postrm", "config"}, name) {
			f.Mode = 0o755
		}
		members = append(members, f)
	}
	return writeTar(members)
}

func (p Package) dataTar() ([]byte, error) {
	members := []File{{Path: "./", Mode: 0o755}}
	listed := make(map[string]bool)
	for _, f := range p.Files {
		listed[path.Clean("/"+f.Path)] = true
	}
	added := map[string]bool{"/": true}
	for _, f := range p.Files {
		var missing []string
		for dir := path.Dir(path.Clean("/" + f.Path)); !added[dir] && !listed[dir]; dir = path.Dir(dir) {
			added[dir] = true
			missing = append(missing, dir)
		}
		for _, dir := range slices.Backward(missing) {
			members = append(members, File{Path: "." + dir + "/"})
		}
		if !strings.HasPrefix(f.Path, ".") {
			f.Path = "./" + strings.TrimPrefix(f.Path, "/")
		}
		members = append(members, f)
	}
	return writeTar(members)
}

func (f File) header() *tar.Header {
	h := &tar.Header{
		Name: f.Path, Mode: f.Mode, Typeflag: f.Type, Linkname: f.Target,
		Uid: f.UID, Gid: f.GID, Uname: f.User, Gname: f.Group,
		ModTime: f.Time, Devmajor: f.Major, Devminor: f.Minor, Format: tar.FormatGNU,
	}
	if h.Typeflag == 0 {
		switch {
		case strings.HasSuffix(f.Path, "/"):
			h.Typeflag = tar.TypeDir
		case f.Target != "":
			h.Typeflag = tar.TypeSymlink
		default:
			h.Typeflag = tar.TypeReg
		}
	}
	if h.Typeflag == tar.TypeReg {
		h.Size = int64(len(f.Content))
	}
	if h.Mode == 0 {
		h.Mode = map[byte]int64{tar.TypeDir: 0o755, tar.TypeSymlink: 0o777}[h.Typeflag]
		if h.Mode == 0 {
			h.Mode = 0o644
		}
	}
	if h.Uname == "" && h.Uid == 0 {
		h.Uname = "root"
	}
	if h.Gname == "" && h.Gid == 0 {
		h.Gname = "root"
	}
	if h.ModTime.IsZero() {
		h.ModTime = Epoch
	}
	return h
}

func writeTar(files []File) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := f.header()
		if err := w.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("file %q: %w", f.Path, err)
		}
		if h.Size > 0 {
			if _, err := io.WriteString(w, f.Content); err != nil {
				return nil, fmt.Errorf("file %q: %w", f.Path, err)
			}
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Member is a member of an ar archive.
type Member struct {
	Name    string
	Content []byte
}

// Ar returns an ar archive in the common format (deb(5), ar(5)).
func Ar(members []Member) []byte {
	var b bytes.Buffer
	b.WriteString("!<arch>\n")
	for _, m := range members {
		fmt.Fprintf(&b, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", m.Name, Epoch.Unix(), 0, 0, "100644", len(m.Content))
		b.Write(m.Content)
		if len(m.Content)%2 == 1 {
			b.WriteByte('\n')
		}
	}
	return b.Bytes()
}

// Compress compresses b as "xz", "gz" or "zst"; "none" returns it as it is.
func Compress(kind string, b []byte) ([]byte, error) {
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch kind {
	case "none":
		return b, nil
	case "gz":
		w, err = gzip.NewWriterLevel(&out, gzip.BestCompression)
	case "xz":
		// A small dictionary: the writer allocates it for each of many tiny files.
		w, err = xz.WriterConfig{DictCap: 1 << 20}.NewWriter(&out)
	case "zst":
		w, err = zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1))
	default:
		err = fmt.Errorf("compression %q: want xz, gz, zst or none", kind)
	}
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
