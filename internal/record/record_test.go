package record

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/tree"
	"github.com/hardpan/hardpan/internal/tree/treetest"
)

// sample is the record of an image with one of each kind of path.
func sample(tb testing.TB) *Record {
	r := &Record{
		Format: Format, Name: "sample", Version: "1", Platform: "linux/amd64", Created: time.Unix(0, 0).UTC(),
		Packages: []lock.Package{{Name: "fixture", Version: "1"}},
		Layers:   []Layer{{Digest: "sha256:00", Packages: []string{"fixture"}}, {Digest: "sha256:11"}},
	}
	t := treetest.New(tb, `
/bin           symlink usr/bin
/usr/bin/sh    file 0755 "#!"
/usr/bin/ash   hardlink /usr/bin/sh
/usr/bin/vi    symlink /etc/alternatives/vi
/etc/alternatives/vi symlink ../../bin/sh
/etc/gone      symlink /nowhere
/etc/loop      symlink loop
/etc-x         dir 0700
`)
	r.SetPaths(t, func(n *tree.Node) int {
		if n.Type == tree.Dir {
			return 1
		}
		return 0
	})
	return r
}

func TestRoundTrip(t *testing.T) {
	r := sample(t)
	b, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Paths, r.Paths) || !reflect.DeepEqual(got.Packages, r.Packages) || len(got.Origins) != len(r.Origins) {
		t.Errorf("have %+v, want %+v", got, r)
	}
	if again, err := got.Encode(); err != nil || !bytes.Equal(again, b) {
		t.Errorf("encoded again it differs: %v", err)
	}
}

func TestLookup(t *testing.T) {
	r := sample(t)
	for name, want := range map[string]string{
		"/usr/bin/sh":    "file 0755 layer 0",
		"usr/bin/sh":     "file 0755 layer 0",
		"/usr/../bin":    "symlink 0777 layer 0",
		"/etc-x/":        "dir 0700 layer 1",
		"/usr/bin/ash":   "hardlink 0755 layer 0",
		"/usr/bin/zsh":   "",
		"/usr/bin/sh/sh": "",
	} {
		got := ""
		if row, ok := r.Lookup(name); ok {
			got = row.Type + " " + row.Mode + " layer " + string('0'+rune(row.Layer))
		}
		if got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestResolve(t *testing.T) {
	r := sample(t)
	for name, want := range map[string]string{
		"/usr/bin/sh": "/usr/bin/sh",
		"/bin/sh":     "/usr/bin/sh",
		"/bin/vi":     "/usr/bin/vi /etc/alternatives/vi /usr/bin/sh",
		"/etc/gone":   "/etc/gone, lost",
		"/etc/none":   "lost",
	} {
		rows, found := r.Resolve(name)
		var steps []string
		for _, row := range rows {
			steps = append(steps, row.Path)
		}
		got := strings.Join(steps, " ")
		if !found {
			got = strings.TrimPrefix(got+", lost", ", ")
		}
		if got != want {
			t.Errorf("%s leads to %q, want %q", name, got, want)
		}
	}
	if rows, found := r.Resolve("/etc/loop"); found || len(rows) > 41 {
		t.Errorf("a loop leads to %d rows, found %v", len(rows), found)
	}
}

// A record comes out of an image that anybody may have made.
func TestDecodeRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Record)
		want   string
	}{
		"format":       {func(r *Record) { r.Format = 99 }, "record has format 99"},
		"columns":      {func(r *Record) { r.Paths.Link = r.Paths.Link[1:] }, "columns of different length"},
		"not sorted":   {func(r *Record) { r.Paths.Path[0] = "zzz" }, "paths are not sorted"},
		"type":         {func(r *Record) { r.Paths.Type[0] = 9 }, "unknown type 9"},
		"origin":       {func(r *Record) { r.Paths.Origin[0] = len(r.Origins) }, "an origin or a layer that is not there"},
		"below origin": {func(r *Record) { r.Paths.Origin[0] = -1 }, "an origin or a layer that is not there"},
		"layer":        {func(r *Record) { r.Paths.Layer[0] = 2 }, "an origin or a layer that is not there"},
	} {
		r := sample(t)
		c.change(r)
		b, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(b); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: have %v, want %q", name, err, c.want)
		}
	}
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Decode(z.EncodeAll(make([]byte, maxRecord+1), nil)); err == nil || !strings.Contains(err.Error(), "it has more than 134217728 bytes") {
		t.Errorf("a few bytes that stand for many: %v", err)
	}
	for _, b := range []string{"", "not zstd", "\x28\xb5\x2f\xfd"} {
		if _, err := Decode([]byte(b)); err == nil {
			t.Errorf("%q is taken for a record", b)
		}
	}
}

// FuzzDecode looks at plain documents, which are compressed here: what decompresses
// them has fuzz tests of its own.
func FuzzDecode(f *testing.F) {
	b, err := sample(f).Encode()
	if err != nil {
		f.Fatal(err)
	}
	z, err := zstd.NewReader(nil)
	if err != nil {
		f.Fatal(err)
	}
	plain, err := z.DecodeAll(b, nil)
	if err != nil {
		f.Fatal(err)
	}
	w, err := zstd.NewWriter(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain)
	f.Add([]byte(`{"format":1,"paths":{"path":["a","a/b"],"type":[2,0],"mode":[0,0],"owner":["",""],"size":[0,0],"link":["a",""],"origin":[0,0],"layer":[0,0]},"origins":[{}],"layers":[{}]}`))
	f.Fuzz(func(t *testing.T, plain []byte) {
		r, err := Decode(w.EncodeAll(plain, nil))
		if err != nil {
			return
		}
		for _, p := range append([]string{"/", "", "/etc/passwd"}, r.Paths.Path...) {
			r.Lookup(p)
			rows, found := r.Resolve(p)
			if found && len(rows) == 0 {
				t.Errorf("%q is found and has no rows", p)
			}
			for _, row := range rows {
				_ = row.Origin.String()
				_ = r.Layers[row.Layer]
			}
		}
		b, err := r.Encode()
		if err != nil {
			return // years beyond 9999 cannot be written
		}
		again, err := Decode(b)
		if err != nil {
			t.Fatalf("cannot read again what was written: %v", err)
		}
		if twice, _ := again.Encode(); !bytes.Equal(twice, b) {
			t.Error("encoded again it differs")
		}
	})
}
