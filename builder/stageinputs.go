package builder

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/specs"
)

// inputsKey finds out what the stage's inputs are, and returns the text that they
// depend on, "" where there are none.
func (r *stageRun) inputsKey(ctx context.Context) (string, error) {
	var parts []string
	add := func(in record.StageInput, more ...string) {
		r.inputs = append(r.inputs, in)
		parts = append(parts, fmt.Sprintf("%+v %q", in, more))
	}
	for i := range r.stage.Files {
		f := &r.stage.Files[i]
		digest, err := r.b.spec.StageFilesDigest(f)
		if err != nil {
			return "", r.b.specError([]any{"stages", r.index, "files", i}, err)
		}
		add(record.StageInput{Path: f.Path, Source: f.Source, Digest: "sha256:" + digest}, modeText(f.Mode))
	}
	for _, f := range r.stage.Fetch {
		add(record.StageInput{Path: f.Path, URL: f.URL, Digest: "sha256:" + f.SHA256}, modeText(f.Mode))
	}
	for i := range r.stage.Copy {
		c := &r.stage.Copy[i]
		from, err := r.b.stageRun(ctx, c.From, r.target)
		if err != nil {
			return "", err
		}
		add(record.StageInput{Path: c.Path, Stage: c.From, Source: c.Source, Digest: from.key()}, copyText(c))
	}
	return strings.Join(parts, "\x00"), nil
}

func modeText(m *specs.Mode) string {
	if m == nil {
		return ""
	}
	return m.String()
}

// addInputs makes the snapshot with the stage's files, downloads and copies.
func (r *stageRun) addInputs(ctx context.Context, key string, on []string) error {
	for i, f := range r.stage.Fetch {
		client, err := r.b.client()
		if err != nil {
			return err
		}
		digest, err := store.FromHex(f.SHA256)
		if err == nil {
			err = client.FetchURL(ctx, f.URL, digest, r.b.o.Progress)
		}
		if err != nil {
			return r.b.specError([]any{"stages", r.index, "fetch", i}, err)
		}
	}
	for _, c := range r.stage.Copy {
		from, err := r.b.stageRun(ctx, c.From, r.target)
		if err == nil {
			err = from.ensure(ctx)
		}
		if err != nil {
			return err
		}
	}
	return r.space.Add(ctx, key, on, func(w *tar.Writer) error {
		for i := range r.stage.Files {
			if err := r.addFiles(w, &r.stage.Files[i]); err != nil {
				return r.b.specError([]any{"stages", r.index, "files", i}, err)
			}
		}
		for i := range r.stage.Fetch {
			if err := r.addFetched(w, &r.stage.Fetch[i]); err != nil {
				return err
			}
		}
		for i := range r.stage.Copy {
			if err := r.addCopied(ctx, w, i); err != nil {
				return err
			}
		}
		return nil
	})
}

// header returns the tar header of an input.
func (r *stageRun) header(name string, typeflag byte, mode int64) *tar.Header {
	return &tar.Header{Name: strings.TrimPrefix(name, "/"), Typeflag: typeflag, Mode: mode, ModTime: r.b.epoch, Format: tar.FormatPAX}
}

func (r *stageRun) addFiles(w *tar.Writer, f *specs.StageFile) error {
	paths, err := r.b.spec.StageFiles(f)
	if err != nil {
		return err
	}
	for i := range paths {
		p := &paths[i]
		mode := int64(p.Mode)
		if f.Mode != nil && p.Type == 0 {
			mode = int64(*f.Mode)
		}
		h := r.header(path.Join(f.Path, p.Name), tar.TypeReg, mode)
		switch p.Type {
		case fs.ModeDir:
			h.Typeflag = tar.TypeDir
		case fs.ModeSymlink:
			h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, p.Link, 0o777
		default:
			h.Size = p.Size
		}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		if h.Typeflag == tar.TypeReg {
			if err := copyInto(w, func() (io.ReadCloser, error) { return p.Open() }); err != nil {
				return err
			}
		}
	}
	return nil
}

func copyInto(w io.Writer, open func() (io.ReadCloser, error)) error {
	content, err := open()
	if err != nil {
		return err
	}
	defer content.Close()
	_, err = io.Copy(w, content)
	return err
}

func (r *stageRun) addFetched(w *tar.Writer, f *specs.Fetch) error {
	digest, err := store.FromHex(f.SHA256)
	if err != nil {
		return err
	}
	size, _ := r.b.store.Stat(digest)
	mode := int64(0o644)
	if f.Mode != nil {
		mode = int64(*f.Mode)
	}
	h := r.header(f.Path, tar.TypeReg, mode)
	h.Size = size
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	return copyInto(w, func() (io.ReadCloser, error) { return r.b.store.Open(digest) })
}

// addCopied copies paths of an earlier stage.
func (r *stageRun) addCopied(ctx context.Context, w *tar.Writer, i int) error {
	c := &r.stage.Copy[i]
	from, err := r.b.stageRun(ctx, c.From, r.target)
	if err != nil {
		return err
	}
	err = from.export(ctx, c, func(h *tar.Header, content io.Reader) error {
		h.Name = strings.TrimPrefix(h.Name, "/")
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		_, err := io.Copy(w, content)
		return err
	})
	if err != nil {
		return r.b.specError([]any{"stages", r.index, "copy", i}, err)
	}
	return nil
}
