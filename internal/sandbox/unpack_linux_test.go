package sandbox

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// TestUnpack says what layers become, as text in and out (see tree_linux_test.go).
func TestUnpack(t *testing.T) {
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { clean(t, s) })
	for _, tt := range []struct {
		name   string
		layers []string
		want   string
		err    string
	}{
		{name: "one layer", layers: []string{`
			dir a 755
			file a/f 4755 text
			hard a/g a/f
			link a/l ../../..
			fifo a/p 600`}, want: `
			dir a 755
			file a/f 4755 text
			hard a/g a/f
			link a/l ../../..
			fifo a/p 600`},
		{name: "a file in place of a directory and the other way round", layers: []string{`
			file a/b/c 644 x
			file d 644 y`, `
			file a 600 z
			dir d 700
			file d/e 644 w`}, want: `
			file a 600 z
			dir d 700
			file d/e 644 w`},
		{name: "whiteouts hide what is below, in any order", layers: []string{`
			file a/x 644
			file a/y 644
			file b/x 644
			file b/s/x 644`, `
			file a/.wh.x 644
			file a/new 644
			file b/s/new 644
			file b/.wh..wh..opq 644`, `
			file a/new 600
			file a/.wh.new 644`}, want: `
			dir a 755
			file a/new 600
			file a/y 644
			dir b 755
			dir b/s 755
			file b/s/new 644`},
		{name: "links above an entry are followed inside", layers: []string{`
			dir usr/lib 755
			link lib usr/lib
			link out /../../../usr`, `
			file lib/x 644 x
			file out/y 644 y`}, want: `
			link lib usr/lib
			link out /../../../usr
			dir usr 755
			dir usr/lib 755
			file usr/lib/x 644 x
			file usr/y 644 y`},
		{name: "a link to the host as the last element is replaced", layers: []string{`
			link etc /etc`, `
			dir etc 755
			file etc/passwd 644 ours`}, want: `
			dir etc 755
			file etc/passwd 644 ours`},
		{name: "devices are left out", layers: []string{`
			char dev/null
			file dev/x 644`}, want: `
			dir dev 755
			file dev/x 644`},
		{name: "odd names", layers: []string{`
			file "a\nb" 644 x
			file "..." 644
			file "./c//d" 644`}, want: `
			file ... 644
			file "a\nb" 644 x
			dir c 755
			file c/d 644`},
		{name: "a name that leads out", layers: []string{`file ../x 644`}, err: `"../x": the name leads out of the root`},
		{name: "one that does so in the middle", layers: []string{`file a/../../x 644`}, err: `the name leads out of the root`},
		{name: "a hard link out", layers: []string{`hard x ../../etc/passwd`}, err: `hard link to "../../etc/passwd": the name leads out of the root`},
		{name: "a hard link through a link", layers: []string{`
			link e /etc
			hard x e/passwd`}, err: `hard link to "e/passwd": no such file`},
		{name: "a whiteout of the parent", layers: []string{`file a/.wh... 644`}, err: `the name leads out of the root`},
		{name: "a file as the root", layers: []string{`file . 644`}, err: `the root can only be a directory`},
		{name: "a directory that is a file", layers: []string{`
			file a 644
			file a/b 644`}, err: `"a/b": cannot open its directory: not a directory`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var layers []Layer
			for _, l := range tt.layers {
				layers = append(layers, layer(l))
			}
			err := s.Unpack(t.Context(), tt.name, layers)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("got %v, want %s", err, tt.err)
				}
				if s.Has(tt.name) || len(leftovers(t, s)) > 0 {
					t.Errorf("left behind: %v", leftovers(t, s))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := strings.TrimPrefix(dump(t, s, []string{tt.name}, "/"), "dir \"\" 755\n")
			if want := lines(tt.want); got != want {
				t.Errorf("got:\n%swant:\n%s", got, want)
			}
		})
	}
}

// TestUnpackReading: layers are read ahead, and written in their order; one that
// cannot be read to its end makes no snapshot, wherever it breaks off.
func TestUnpackReading(t *testing.T) {
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { clean(t, s) })
	var layers []Layer
	for i := range 20 {
		layers = append(layers, layer(fmt.Sprintf("file f 644 n%d %s", i, strings.Repeat("x", i*1000))))
	}
	if err := s.Unpack(t.Context(), "good", layers); err != nil {
		t.Fatal(err)
	}
	if got, want := dump(t, s, []string{"good"}, "/f"), "file f 644 n19 "+strings.Repeat("x", 19000)+"\n"; got != want {
		t.Errorf("got %.40s", got)
	}
	broken := errors.New("broken")
	for name, bad := range map[string]Layer{
		"not opened": {Open: func() (io.ReadCloser, error) { return nil, broken }},
		"in its middle": {Open: func() (io.ReadCloser, error) {
			r, _ := layers[5].Open()
			return io.NopCloser(io.MultiReader(io.LimitReader(r, 700), iotest.ErrReader(broken))), nil
		}},
		"after its end": {Open: func() (io.ReadCloser, error) {
			r, _ := layers[5].Open()
			return io.NopCloser(io.MultiReader(r, iotest.ErrReader(io.ErrUnexpectedEOF))), nil
		}},
	} {
		err := s.Unpack(t.Context(), name, []Layer{layers[0], layers[1], bad, layers[2]})
		if !errors.Is(err, broken) && !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "cannot read layer 3: ") {
			t.Errorf("%s: %v", name, err)
		}
		if s.Has(name) || len(leftovers(t, s)) > 0 {
			t.Errorf("%s: left behind", name)
		}
	}
}
