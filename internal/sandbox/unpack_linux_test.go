package sandbox

import (
	"strings"
	"testing"
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
