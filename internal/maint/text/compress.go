package text

import (
	"bytes"
	"compress/bzip2"
	"context"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// maxUnpacked bounds what one compressed file may become, bytes.
const maxUnpacked = 256 << 20

// compressor is gzip(1), bzip2(1), xz(1) or zstd(1). What it writes unpacks to the
// same content as what those programs write, but its bytes are others.
type compressor struct {
	suffix   string
	unpack   func(r io.Reader) (io.Reader, error)
	pack     func(w io.Writer, level int, name string, time time.Time) (io.WriteCloser, error) // nil: cannot
	keep     bool                                                                              // the input by default
	decode   bool                                                                              // is the program to unpack
	toStdout bool
}

var (
	gzipFormat = compressor{suffix: ".gz", pack: packGzip, unpack: func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }}
	bzipFormat = compressor{suffix: ".bz2", unpack: func(r io.Reader) (io.Reader, error) { return bzip2.NewReader(r), nil }}
	xzFormat   = compressor{suffix: ".xz", pack: packXZ, unpack: func(r io.Reader) (io.Reader, error) { return xz.NewReader(r) }}
	zstdFormat = compressor{suffix: ".zst", keep: true, pack: packZstd, unpack: func(r io.Reader) (io.Reader, error) {
		return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxUnpacked))
	}}
)

func packGzip(w io.Writer, level int, name string, at time.Time) (io.WriteCloser, error) {
	z, err := gzip.NewWriterLevel(w, level)
	if err == nil {
		z.Name, z.ModTime, z.OS = name, at, 3
	}
	return z, err
}

func packXZ(w io.Writer, _ int, _ string, _ time.Time) (io.WriteCloser, error) {
	return xz.NewWriter(w)
}

func packZstd(w io.Writer, _ int, _ string, _ time.Time) (io.WriteCloser, error) {
	return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
}

// compressors are the commands by name.
func compressors() map[string]shell.Command {
	commands := map[string]shell.Command{}
	for _, c := range []struct {
		format             compressor
		pack, unpack, cats string
	}{
		{gzipFormat, "gzip", "gunzip uncompress", "zcat"}, {bzipFormat, "bzip2", "bunzip2", "bzcat"},
		{xzFormat, "xz", "unxz", "xzcat"}, {zstdFormat, "zstd", "unzstd", "zstdcat"},
	} {
		commands[c.pack] = c.format.command
		c.format.decode = true
		for _, name := range strings.Fields(c.unpack) {
			commands[name] = c.format.command
		}
		c.format.toStdout = true
		commands[c.cats] = c.format.command
	}
	return commands
}

const compressLong = "stdout=c to-stdout=c decompress=d uncompress=d force=f keep=k no-name=n name=N quiet=q silent=q test=t verbose=v " +
	"fast=1 best=9 rm rsyncable suffix:=S threads:=T extreme=e compress=z"

func (c compressor) command(_ context.Context, p *shell.Proc) (int, error) {
	opts, names, err := options(p, "cdfknNqtvze123456789S:T:0", compressLong)
	if err != nil {
		return 1, err
	}
	job := compressJob{compressor: c, p: p, level: 6, named: true}
	for _, o := range opts {
		if err := job.set(o); err != nil {
			return 1, err
		}
	}
	if len(names) == 0 {
		names = []string{"-"}
	}
	status := 0
	for _, name := range names {
		if err := job.operand(name); err != nil {
			if stop := fatal(err); stop != nil {
				return 1, stop
			}
			status = 1
			if !job.quiet {
				if _, err := p.Errorf("%s: %s", name, reason(err)); err != nil {
					return 1, err
				}
			}
		}
	}
	return status, nil
}

// compressJob is one call of a compressor.
type compressJob struct {
	compressor
	p                         *shell.Proc
	level                     int
	force, test, quiet, named bool
}

func (j *compressJob) set(o option) error {
	switch o.name {
	case "c":
		j.toStdout = true
	case "d":
		j.decode = true
	case "z":
		j.decode = false
	case "f":
		j.force = true
	case "k":
		j.keep = true
	case "rm":
		j.keep = false
	case "n":
		j.named = false
	case "N":
		j.named = true
	case "q":
		j.quiet = true
	case "t":
		j.test, j.decode = true, true
	case "S":
		if j.suffix = o.value; !strings.HasPrefix(o.value, ".") {
			j.suffix = "." + o.value
		}
	case "v", "e", "T", "rsyncable":
	default:
		j.level = max(int(o.name[0]-'0'), 1)
	}
	if j.named && j.decode && o.name == "N" {
		return shell.Unsupported("%s: the name in a compressed file", j.p.Args[0])
	}
	return nil
}

// operand packs or unpacks a file.
func (j *compressJob) operand(name string) error {
	if name == "-" {
		b, err := read(j.p, "-")
		if err != nil {
			return err
		}
		out, err := j.convert(b, "", time.Time{})
		if err != nil || j.test {
			return err
		}
		_, err = j.p.Stdout.Write(out)
		return err
	}
	fs, file := j.p.FS, j.p.Path(name)
	if j.decode && !fs.Exists(file) && fs.Exists(file+j.suffix) {
		file += j.suffix
	}
	n, err := fs.Lstat(file)
	if err == nil && n.Type == tree.Symlink && (j.toStdout || j.force) {
		n, err = fs.Stat(file)
	}
	switch {
	case err != nil:
		return err
	case n.Type != tree.File && n.Type != tree.Hardlink:
		return fmt.Errorf("is not a directory or a regular file - ignored")
	}
	b, err := fs.ReadFile(file)
	if err != nil {
		return err
	}
	target, err := j.target(file)
	if err != nil {
		return err
	}
	out, err := j.convert(b, path.Base(file), time.Unix(n.ModTime, 0))
	if err != nil || j.test {
		return err
	}
	if j.toStdout {
		_, err := j.p.Stdout.Write(out)
		return err
	}
	return j.replace(file, target, out, n)
}

// target returns the name of the output.
func (j *compressJob) target(file string) (string, error) {
	if j.toStdout || j.test {
		return "", nil
	}
	if !j.decode {
		if strings.HasSuffix(file, j.suffix) {
			return "", fmt.Errorf("already has %s suffix -- unchanged", j.suffix)
		}
		return file + j.suffix, nil
	}
	for _, suffix := range []string{j.suffix, strings.Replace(j.suffix, ".gz", ".tgz", 1), strings.Replace(j.suffix, ".xz", ".txz", 1)} {
		if base, ok := strings.CutSuffix(file, suffix); ok {
			if suffix != j.suffix {
				base += ".tar"
			}
			return base, nil
		}
	}
	return "", fmt.Errorf("unknown suffix -- ignored")
}

func (j *compressJob) replace(file, target string, out []byte, n *tree.Node) error {
	fs := j.p.FS
	if fs.Exists(target) {
		if !j.force {
			return fmt.Errorf("%s already exists", target)
		}
		if err := fs.Remove(target); err != nil {
			return err
		}
	}
	mode, uid, gid, at := n.Mode, n.UID, n.GID, n.ModTime
	if fs.Origin != nil {
		o := *fs.Origin
		o.Inputs = append(o.Inputs[:len(o.Inputs):len(o.Inputs)], file)
		defer func(was *tree.Origin) { fs.Origin = was }(fs.Origin)
		fs.Origin = &o
	}
	if err := fs.WriteFile(target, out, mode); err != nil {
		return err
	}
	if err := fs.Chown(target, uid, gid, true); err != nil {
		return err
	}
	if err := fs.Chmod(target, mode&0o7777); err != nil {
		return err
	}
	if err := fs.Touch(target, at, true); err != nil || j.keep {
		return err
	}
	return fs.Remove(file)
}

// convert packs or unpacks content.
func (j *compressJob) convert(b []byte, name string, at time.Time) ([]byte, error) {
	if j.decode {
		r, err := j.unpack(bytes.NewReader(b))
		if err != nil {
			if j.force && j.toStdout && len(b) > 0 {
				return b, nil // zcat -f
			}
			return nil, fmt.Errorf("not in %s format", strings.TrimPrefix(j.suffix, "."))
		}
		out, err := io.ReadAll(io.LimitReader(r, maxUnpacked+1))
		if err == nil && len(out) > maxUnpacked {
			err = &rootfs.LimitError{Limit: maxUnpacked}
		}
		return out, err
	}
	if j.pack == nil {
		return nil, shell.Unsupported("%s: packing", j.p.Args[0])
	}
	if !j.named {
		name, at = "", time.Time{}
	}
	var out bytes.Buffer
	w, err := j.pack(&out, j.level, name, at)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	err = w.Close()
	return out.Bytes(), err
}
