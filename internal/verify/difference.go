package verify

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/tree"
)

// difference says where two images of a platform first differ: in a layer by path and
// byte, or in which member of record, config or manifest. "" means that they are equal.
func difference(ctx context.Context, was, is *oci.Image) (string, error) {
	if was.Digest == is.Digest {
		return "", nil
	}
	if where, err := layersDiffer(ctx, was, is); where != "" || err != nil {
		return where, err
	}
	// The record is in the config, and says more of it; but that the spec is another one
	// is said last, for what it made otherwise tells more.
	for _, document := range []struct {
		name    string
		was, is func() ([]byte, error)
	}{
		{"record", recordOf(was, false), recordOf(is, false)},
		{"config", raw(was.RawConfig), raw(is.RawConfig)},
		{"record", recordOf(was, true), recordOf(is, true)},
		{"manifest", raw(was.Manifest), raw(is.Manifest)},
	} {
		a, err := document.was()
		if err != nil {
			return "", err
		}
		b, err := document.is()
		if err != nil {
			return "", err
		}
		if where := documentsDiffer(document.name, a, b); where != "" {
			return where, nil
		}
	}
	return fmt.Sprintf("the manifest is %s, built again it is %s", was.Digest, is.Digest), nil
}

func raw(b []byte) func() ([]byte, error) { return func() ([]byte, error) { return b, nil } }

// recordOf returns the record of an image as JSON, "null" where it has none, with the
// digest of its spec or without.
func recordOf(img *oci.Image, spec bool) func() ([]byte, error) {
	return func() ([]byte, error) {
		if len(img.Config.Record) == 0 {
			return []byte("null"), nil
		}
		rec, err := record.Decode(img.Config.Record)
		if err != nil {
			return nil, err
		}
		if !spec {
			rec.Spec = ""
		}
		return json.Marshal(rec)
	}
}

// documentsDiffer names the first member in which two JSON documents differ.
func documentsDiffer(name string, was, is []byte) string {
	if bytes.Equal(was, is) {
		return ""
	}
	var a, b any
	if json.Unmarshal(was, &a) != nil || json.Unmarshal(is, &b) != nil {
		return name + " is not JSON"
	}
	if name == "config" { // compared as the record
		for _, x := range []any{a, b} {
			if m, ok := x.(map[string]any); ok {
				delete(m, "dev.hardpan.record.v1")
			}
		}
	}
	if where := valuesDiffer(a, b); where != "" {
		return name + where
	}
	if name == "config" {
		return "" // the record differs in its writing only, or not at all
	}
	return name + " is written otherwise"
}

// valuesDiffer returns the path of the first value that differs, with both values.
func valuesDiffer(a, b any) string {
	if reflect.DeepEqual(a, b) {
		return ""
	}
	switch x := a.(type) {
	case map[string]any:
		if y, ok := b.(map[string]any); ok {
			both := maps.Clone(x)
			maps.Copy(both, y)
			for _, key := range slices.Sorted(maps.Keys(both)) {
				v, in := x[key]
				w, inAgain := y[key]
				if !in || !inAgain {
					return fmt.Sprintf(".%.80s%s", key, sides(v, w, in, inAgain))
				}
				if where := valuesDiffer(v, w); where != "" {
					return fmt.Sprintf(".%.80s%s", key, where)
				}
			}
		}
	case []any:
		if y, ok := b.([]any); ok {
			for i := range max(len(x), len(y)) {
				switch {
				case i >= len(x):
					return fmt.Sprintf("[%d]%s", i, sides(nil, y[i], false, true))
				case i >= len(y):
					return fmt.Sprintf("[%d]%s", i, sides(x[i], nil, true, false))
				}
				if where := valuesDiffer(x[i], y[i]); where != "" {
					return fmt.Sprintf("[%d]%s", i, where)
				}
			}
		}
	}
	return sides(a, b, true, true)
}

// sides says what a place is in the image and in the one that was built again.
func sides(was, is any, has, hasAgain bool) string {
	show := func(v any, there bool) string {
		if !there {
			return "nothing"
		}
		text, err := json.Marshal(v)
		if err != nil {
			return "?"
		}
		if len(text) > 200 {
			text = append(text[:200:200], "..."...)
		}
		return strings.ToValidUTF8(string(text), "\uFFFD")
	}
	return fmt.Sprintf(" is %s, built again it is %s", show(was, has), show(is, hasAgain))
}

// layersDiffer says in which layer two images first differ, and where in it.
func layersDiffer(ctx context.Context, was, is *oci.Image) (string, error) {
	differ, first := 0, -1
	for i := range max(len(was.Layers), len(is.Layers)) {
		if i >= len(was.Layers) || i >= len(is.Layers) || was.Layers[i].Digest != is.Layers[i].Digest {
			if differ++; first < 0 {
				first = i
			}
		}
	}
	switch {
	case first < 0:
		return "", nil
	case first >= len(was.Layers):
		with, err := holds(ctx, is.Layers[first])
		return fmt.Sprintf("it has %d layers, built again %d, the next with %s", len(was.Layers), len(is.Layers), with), err
	}
	where := fmt.Sprintf("layer %d of %d", first+1, len(was.Layers))
	if differ > 1 {
		where += fmt.Sprintf(" (the first of %d that differ)", differ)
	}
	if first >= len(is.Layers) {
		with, err := holds(ctx, was.Layers[first])
		return fmt.Sprintf("%s is in the image only, with %s; built again it has %d layers", where, with, len(is.Layers)), err
	}
	inside, err := layerDiffers(ctx, was.Layers[first], is.Layers[first])
	if err != nil {
		return "", fmt.Errorf("cannot compare %s: %w", where, err)
	}
	return where + ", " + inside, nil
}

// holds names the first thing in a layer that is no directory.
func holds(ctx context.Context, l oci.Layer) (string, error) {
	list, err := entries(ctx, l)
	if err != nil {
		return "", err
	}
	for i := range list {
		if h := &list[i].header; h.Typeflag != tar.TypeDir {
			return "/" + strings.Trim(h.Name, "/"), nil
		}
	}
	return "directories only", nil
}

// entry is a path of a layer.
type entry struct {
	header tar.Header
	sum    [sha256.Size]byte
}

// layerDiffers says where two layers first differ, in the order of the first.
func layerDiffers(ctx context.Context, was, is oci.Layer) (string, error) {
	a, err := entries(ctx, was)
	if err != nil {
		return "", err
	}
	b, err := entries(ctx, is)
	if err != nil {
		return "", err
	}
	again := map[string]*entry{}
	for i := range b {
		again[b[i].header.Name] = &b[i]
	}
	had := map[string]bool{}
	for i := range a {
		x := &a[i]
		name := "/" + strings.Trim(x.header.Name, "/")
		had[x.header.Name] = true
		y := again[x.header.Name]
		if y == nil {
			return name + " is in the image only", nil
		}
		if what := headersDiffer(&x.header, &y.header); what != "" {
			return name + ": " + what, nil
		}
		if x.sum != y.sum {
			at, err := contentDiffers(was, is, x.header.Name)
			return name + ": " + at, err
		}
	}
	for i := range b {
		if name := b[i].header.Name; !had[name] {
			return "/" + strings.Trim(name, "/") + " is only in what was built again", nil
		}
	}
	return streamsDiffer(was, is)
}

// maxEntries bounds the paths of a layer that is compared.
const maxEntries = 2_000_000

func entries(ctx context.Context, l oci.Layer) ([]entry, error) {
	var list []entry
	err := walk(l, func(h *tar.Header, content io.Reader) error {
		if len(list) == maxEntries {
			return fmt.Errorf("more than %d paths", maxEntries)
		}
		sum := sha256.New()
		if _, err := io.Copy(sum, content); err != nil {
			return err
		}
		e := entry{header: *h}
		sum.Sum(e.sum[:0])
		list = append(list, e)
		return ctx.Err()
	})
	return list, err
}

func walk(l oci.Layer, each func(*tar.Header, io.Reader) error) error {
	r, err := l.Uncompressed()
	if err != nil {
		return err
	}
	defer r.Close()
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = each(h, t)
		}
		if err != nil {
			return err
		}
	}
}

// headersDiffer says in what two entries of a name differ beside content.
func headersDiffer(a, b *tar.Header) string {
	for _, field := range []struct {
		name    string
		was, is any
	}{
		{"type", typeOf(a), typeOf(b)},
		{"mode", fmt.Sprintf("%04o", a.Mode), fmt.Sprintf("%04o", b.Mode)},
		{"owner", fmt.Sprintf("%d:%d", a.Uid, a.Gid), fmt.Sprintf("%d:%d", b.Uid, b.Gid)},
		{"link", a.Linkname, b.Linkname},
		{"time", a.ModTime.UTC().Format("2006-01-02T15:04:05Z"), b.ModTime.UTC().Format("2006-01-02T15:04:05Z")},
		{"device", fmt.Sprintf("%d:%d", a.Devmajor, a.Devminor), fmt.Sprintf("%d:%d", b.Devmajor, b.Devminor)},
		{"attributes", fmt.Sprintf("%.200q", a.PAXRecords), fmt.Sprintf("%.200q", b.PAXRecords)},
	} {
		if field.was != field.is {
			return fmt.Sprintf("%s is %.200v, built again it is %.200v", field.name, field.was, field.is)
		}
	}
	return ""
}

// typeOf names what an entry is.
func typeOf(h *tar.Header) string {
	if t, ok := map[byte]tree.Type{tar.TypeReg: tree.File, tar.TypeDir: tree.Dir, tar.TypeSymlink: tree.Symlink, tar.TypeLink: tree.Hardlink}[h.Typeflag]; ok {
		return t.String()
	}
	return specialName(h.Typeflag)
}

// errFound ends a walk.
var errFound = errors.New("found")

// contentDiffers names the first byte in which a file of two layers differs.
func contentDiffers(was, is oci.Layer, name string) (string, error) {
	at := ""
	err := walk(was, func(h *tar.Header, content io.Reader) error {
		if h.Name != name {
			return nil
		}
		err := walk(is, func(again *tar.Header, built io.Reader) (err error) {
			if again.Name != name {
				return nil
			}
			if at, err = bytesDiffer(content, built); err != nil {
				return err
			}
			return errFound
		})
		if err == nil {
			err = errFound
		}
		return err
	})
	if err != nil && !errors.Is(err, errFound) {
		return "", err
	}
	return at, nil
}

// bytesDiffer names the first byte that differs.
func bytesDiffer(was, is io.Reader) (string, error) {
	a, b := bufio.NewReader(was), bufio.NewReader(is)
	for n := int64(0); ; n++ {
		x, errA := a.ReadByte()
		y, errB := b.ReadByte()
		switch {
		case errA == io.EOF && errB == io.EOF:
			return "equal", nil
		case errA == io.EOF && errB == nil:
			return fmt.Sprintf("it ends at byte %d, built again it is longer", n), nil
		case errB == io.EOF && errA == nil:
			return fmt.Sprintf("built again it ends at byte %d", n), nil
		case errA != nil || errB != nil:
			return "", errors.Join(errA, errB)
		case x != y:
			return fmt.Sprintf("byte %d is 0x%02x, built again it is 0x%02x", n, x, y), nil
		}
	}
}

// streamsDiffer is for layers with the same paths.
func streamsDiffer(was, is oci.Layer) (string, error) {
	if was.DiffID == is.DiffID {
		return "which has the same files, compressed otherwise", nil
	}
	a, err := was.Uncompressed()
	if err != nil {
		return "", err
	}
	defer a.Close()
	b, err := is.Uncompressed()
	if err != nil {
		return "", err
	}
	defer b.Close()
	at, err := bytesDiffer(a, b)
	return "which has the same files, in another order or with other headers: " + at, err
}
