package sandbox

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Export calls each for everything at and below the paths of a stack, sorted by
// name. A name has no slash in front, and none at the end. Links above a path are
// followed, inside the stack; one at or below it is itself what is exported. Files
// with several names come once, and then as hard links to the first; a FIFO and a
// device come as their types of tar(5), a socket as [TypeSocket]. The error has
// fs.ErrNotExist in its chain where a path is missing.
func (s *Space) Export(ctx context.Context, on []string, paths []string, each func(h *tar.Header, r io.Reader) error) error {
	if err := s.need(on); err != nil {
		return fmt.Errorf("cannot export: %w", err)
	}
	return s.export(ctx, &request{Verb: verbExport, On: snapNames(on), Paths: paths}, each)
}

func (s *Space) export(ctx context.Context, req *request, each func(h *tar.Header, r io.Reader) error) error {
	var eachErr error
	err := s.call(ctx, req, nil, func(r io.Reader) error {
		p := &partReader{r: r}
		tr := tar.NewReader(bufio.NewReaderSize(p, 256<<10))
		for {
			h, err := tr.Next()
			if err == io.EOF {
				_, err := io.Copy(io.Discard, p) // the end of the tar is not that of the part
				return err
			}
			if err != nil {
				return cutOff(err)
			}
			h.Name = strings.TrimSuffix(h.Name, "/")
			if eachErr = each(h, tr); eachErr != nil {
				return eachErr
			}
		}
	})
	if eachErr != nil {
		return eachErr
	}
	if err != nil {
		return fmt.Errorf("cannot export: %w", err)
	}
	return nil
}

// An exporter sends files as a tar.
type exporter struct {
	w    *tar.Writer
	seen map[[2]uint64]string // of files with several names, the first
	buf  []byte
	live bool // others may change the files meanwhile
}

func (in *inner) export() error {
	root, err := in.exported()
	if err != nil {
		return err
	}
	p := partWriter{in.out}
	b := bufio.NewWriterSize(p, 256<<10)
	x := &exporter{w: tar.NewWriter(b), seen: map[[2]uint64]string{}, buf: make([]byte, 256<<10), live: in.req.Cache != ""}
	last := ""
	for i, name := range sortedPaths(in.req.Paths) {
		if i > 0 && (last == "" || name == last || strings.HasPrefix(name, last+"/")) {
			continue // came with the one before
		}
		last = name
		if err := x.from(root, name); err != nil {
			return fmt.Errorf("%s: %w", "/"+name, err)
		}
	}
	if err := x.w.Close(); err != nil {
		return err
	}
	if err := b.Flush(); err != nil {
		return err
	}
	return p.end()
}

// sortedPaths are paths in the order in which a walk meets them.
func sortedPaths(paths []string) []string {
	var names []string
	for _, p := range paths {
		names = append(names, strings.TrimPrefix(path.Clean("/"+p), "/"))
	}
	slices.SortFunc(names, func(a, b string) int { return slices.Compare(elements(a), elements(b)) })
	return names
}

func (x *exporter) from(root int, name string) error {
	if name == "" {
		return x.walk(root, "", 0)
	}
	dir, base := path.Split(name)
	fd, err := openIn(root, dir, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return x.entry(fd, name, base, 0)
}

func (x *exporter) walk(dir int, name string, depth int) error {
	if depth > maxDepth {
		return unix.ENAMETOOLONG
	}
	names, err := entries(dir)
	if err != nil {
		return err
	}
	for _, e := range names {
		if err := x.entry(dir, path.Join(name, e), e, depth); err != nil {
			return err
		}
	}
	return nil
}

func (x *exporter) entry(dir int, name, base string, depth int) error {
	var st unix.Stat_t
	if err := unix.Fstatat(dir, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return x.gone(err)
	}
	h := &tar.Header{
		Name: name, Mode: int64(st.Mode & 0o7777), Uid: int(st.Uid), Gid: int(st.Gid),
		ModTime: time.Unix(st.Mtim.Unix()), Format: tar.FormatPAX,
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return x.dir(dir, base, h, depth)
	case unix.S_IFREG:
		return x.file(dir, base, h, &st)
	case unix.S_IFLNK:
		h.Typeflag = tar.TypeSymlink
		var err error
		if h.Linkname, err = readlinkAt(dir, base); err != nil {
			return x.gone(err)
		}
	case unix.S_IFIFO:
		h.Typeflag = tar.TypeFifo
	case unix.S_IFSOCK:
		h.Typeflag = TypeSocket
	case unix.S_IFCHR, unix.S_IFBLK:
		h.Typeflag = tar.TypeChar
		if st.Mode&unix.S_IFMT == unix.S_IFBLK {
			h.Typeflag = tar.TypeBlock
		}
		h.Devmajor, h.Devminor = int64(unix.Major(st.Rdev)), int64(unix.Minor(st.Rdev))
	}
	return x.w.WriteHeader(h)
}

func (x *exporter) dir(dir int, base string, h *tar.Header, depth int) error {
	h.Typeflag = tar.TypeDir
	name := h.Name
	fd, err := unix.Openat(dir, base, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return x.gone(err)
	}
	defer unix.Close(fd)
	if err := x.w.WriteHeader(h); err != nil {
		return err
	}
	return x.walk(fd, name, depth+1)
}

func (x *exporter) file(dir int, base string, h *tar.Header, st *unix.Stat_t) error {
	h.Typeflag = tar.TypeReg
	id := [2]uint64{st.Dev, st.Ino}
	if first, ok := x.seen[id]; ok && st.Nlink > 1 {
		h.Typeflag, h.Linkname = tar.TypeLink, first
		return x.w.WriteHeader(h)
	}
	if st.Nlink > 1 {
		x.seen[id] = h.Name
	}
	fd, err := unix.Openat(dir, base, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return x.gone(err)
	}
	f := os.NewFile(uintptr(fd), h.Name)
	defer f.Close()
	var v [256]byte
	if n, err := unix.Fgetxattr(fd, capabilityXattr, v[:]); err == nil {
		h.PAXRecords = map[string]string{"SCHILY.xattr." + capabilityXattr: string(v[:n])}
	}
	h.Size = st.Size
	if err := x.w.WriteHeader(h); err != nil {
		return err
	}
	n, err := io.CopyBuffer(x.w, onlyReader{io.LimitReader(f, st.Size)}, x.buf)
	if err == nil && n != st.Size && x.live {
		_, err = io.CopyN(x.w, zeros{}, st.Size-n) // it was cut short
		return err
	}
	if err == nil && n != st.Size {
		err = errors.New("it changed while it was read")
	}
	return err
}
