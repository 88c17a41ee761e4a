package builder

import (
	"archive/tar"
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/hardpan/hardpan/internal/debian/archivetest"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/sample"
	"github.com/hardpan/hardpan/internal/tree"
	"github.com/hardpan/hardpan/internal/tree/treetest"
)

// baseBench is a bench whose archive has packages that are added to a base: greeter,
// with a conffile, and a script that makes an alternative and an account; and some that
// do not get along with what a base has.
func baseBench(t *testing.T) *bench {
	t.Helper()
	file := func(name, text string) archivetest.File { return archivetest.File{Path: name, Content: text + "\n"} }
	s, err := archivetest.New(sample.Debian(
		archivetest.Package{
			Name: "greeter", Version: "1.0-1", Fields: map[string]string{"Depends": "libc6 (>= 2.36), libtool1 (>= 1.0)"}, Conffiles: []string{"/etc/greeter.conf"},
			Files: []archivetest.File{file("/usr/share/greeter/greeter", "greeter"), file("/etc/greeter.conf", "hello"), file("/usr/share/man/man1/greeter.1", "manual")},
			Control: map[string]string{"postinst": "#!/bin/sh\nset -e\nupdate-alternatives --install /usr/bin/greet greet /usr/share/greeter/greeter 10\n" +
				"useradd --system --user-group --home-dir /nonexistent --shell /usr/sbin/nologin greeter\n[ -e /var/lib/app ] && [ -x /usr/bin/tool ]\n"},
		},
		archivetest.Package{Name: "libtool1", Version: "1.4-1", Files: []archivetest.File{file("/usr/lib/libtool.so.1", "newer library"), file("/usr/share/libtool1/new", "new")}},
		archivetest.Package{Name: "picky", Fields: map[string]string{"Depends": "libtool1 (>= 1.4)"}, Files: []archivetest.File{file("/usr/share/picky/file", "picky")}},
		archivetest.Package{Name: "taker", Files: []archivetest.File{file("/usr/bin/more", "mine")}},
		archivetest.Package{Name: "sharer", Files: []archivetest.File{file("/usr/share/shared/file", "shared")}},
		archivetest.Package{Name: "remover", Files: []archivetest.File{file("/usr/share/remover/file", "x")}, Control: map[string]string{"postinst": "#!/bin/sh\nrm -f /usr/bin/more\n"}},
		archivetest.Package{Name: "changer", Files: []archivetest.File{file("/usr/share/changer/file", "x")}, Control: map[string]string{"postinst": "#!/bin/sh\nchmod 0700 /usr/bin/more\nchown 1:1 /var/lib/app\n"}},
		archivetest.Package{Name: "toucher", Files: []archivetest.File{file("/usr/share/toucher/file", "x")}, Control: map[string]string{"postinst": "#!/bin/sh\ntouch /usr/bin/more\ncat /usr/bin/tool > /dev/null\n"}},
		archivetest.Package{
			Name: "caller", Files: []archivetest.File{{Path: "/usr/sbin/useradd", Mode: 0o755, Content: "x"}},
			Control: map[string]string{"postinst": "#!/bin/sh\nuseradd --system --user-group --home-dir /nonexistent --shell /usr/sbin/nologin caller\n"},
		},
		archivetest.Package{Name: "hater", Fields: map[string]string{"Conflicts": "libtool1"}},
	))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return &bench{t, s, t.TempDir()}
}

// tarOf makes a layer of lines: "dir PATH MODE [UID:GID]", "file PATH MODE TEXT" with
// \n in the text, "elf PATH MODE", "link PATH TARGET", "hard PATH FILE [MODE]", "device PATH", "pipe PATH", and
// "gone PATH" for a whiteout.
func tarOf(t *testing.T, lines string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for line := range strings.Lines(lines) {
		f := strings.SplitN(strings.TrimSpace(line), " ", 4)
		if len(f) < 2 {
			continue
		}
		h := &tar.Header{Name: f[1], Mode: 0o644, ModTime: time.Unix(1_600_000_000, 0)}
		f = append(f, "", "")
		if mode, err := strconv.ParseInt(f[2], 8, 64); err == nil {
			h.Mode = mode
		}
		text := ""
		switch f[0] {
		case "dir":
			h.Typeflag = tar.TypeDir
			fmt.Sscanf(f[3], "%d:%d", &h.Uid, &h.Gid)
		case "file":
			text = strings.ReplaceAll(f[3], `\n`, "\n")
			h.Typeflag, h.Size = tar.TypeReg, int64(len(text))
		case "elf": // a static program for amd64
			text = string(treetest.EncodeELF(&tree.ELF{Class: 64, Type: 2, Machine: 62}))
			h.Typeflag, h.Size = tar.TypeReg, int64(len(text))
		case "link":
			h.Typeflag, h.Linkname = tar.TypeSymlink, f[2]
		case "hard":
			h.Typeflag, h.Linkname = tar.TypeLink, f[2]
			fmt.Sscanf(f[3], "%o", &h.Mode)
		case "device":
			h.Typeflag, h.Devmajor = tar.TypeChar, 1
		case "pipe":
			h.Typeflag = tar.TypeFifo
		case "gone":
			h.Name = filepath.Dir(f[1]) + "/.wh." + filepath.Base(f[1])
			h.Typeflag = tar.TypeReg
		default:
			t.Fatalf("line %q", line)
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// foreign writes an image that hardpan did not build as a layout below the bench, for
// linux/amd64.
func (b *bench) foreign(name string, config v1.Config, layers ...string) {
	b.Helper()
	var all [][]byte
	for _, l := range layers {
		all = append(all, tarOf(b.T, l))
	}
	b.foreignOf(name, config, all...)
}

func (b *bench) foreignOf(name string, config v1.Config, layers ...[]byte) {
	b.Helper()
	img := empty.Image
	file, err := img.ConfigFile()
	if err != nil {
		b.Fatal(err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Config = "linux", "amd64", config
	if img, err = mutate.ConfigFile(img, file); err != nil {
		b.Fatal(err)
	}
	for i, l := range layers {
		img, err = mutate.Append(img, mutate.Addendum{
			Layer:   static.NewLayer(l, types.DockerUncompressedLayer),
			History: v1.History{CreatedBy: fmt.Sprintf("layer %d", i), Created: v1.Time{Time: time.Unix(1_600_000_000, 0)}},
		})
		if err != nil {
			b.Fatal(err)
		}
		if i == 0 {
			if img, err = mutate.Append(img, mutate.Addendum{History: v1.History{CreatedBy: "ENV x", EmptyLayer: true}}); err != nil {
				b.Fatal(err)
			}
		}
	}
	path, err := layout.Write(filepath.Join(b.dir, name), empty.Index)
	if err != nil {
		b.Fatal(err)
	}
	if err := path.AppendImage(img, layout.WithPlatform(v1.Platform{OS: "linux", Architecture: "amd64"})); err != nil {
		b.Fatal(err)
	}
}

// dumpOnBase returns what an image on a base has, as text: each path with the layer
// that it is in and its origin. It checks what must hold: only files that the record
// lists as overwritten are in two layers, our layers have no whiteouts, and the record
// says of each path what is there.
func dumpOnBase(t *testing.T, img *oci.Image) string {
	t.Helper()
	rec, err := record.Decode(img.Config.Record)
	if err != nil {
		t.Fatal(err)
	}
	var overwritten []string
	for _, o := range rec.Base.Overwritten {
		overwritten = append(overwritten, strings.TrimPrefix(o.Path, "/"))
	}
	ours := map[string]int{}
	var lines []string
	for i, l := range img.Layers {
		for _, e := range entries(t, l) {
			if i < rec.Base.Layers {
				continue
			}
			if strings.HasPrefix(filepath.Base(e.name), ".wh.") {
				t.Errorf("/%s is a whiteout", e.name)
			}
			if other, twice := ours[e.name]; twice {
				t.Errorf("/%s is in the layers %d and %d", e.name, other, i)
			}
			ours[e.name] = i
			row, ok := rec.Lookup(e.name)
			if !ok || row.Layer != i || row.Type != e.kind || row.Mode != fmt.Sprintf("%04o", e.mode) || row.Owner != fmt.Sprintf("%d:%d", e.uid, e.gid) || row.Size != e.size || row.Link != e.link {
				t.Errorf("layer %d has %s, the record says %+v", i, e, row)
			}
		}
	}
	for i := range rec.Base.Layers {
		for _, e := range entries(t, img.Layers[i]) {
			if _, twice := ours[e.name]; twice && e.kind == "file" && !slices.Contains(overwritten, e.name) {
				t.Errorf("/%s is in the base and in a layer above", e.name)
			}
		}
	}
	for _, name := range rec.Paths.Path {
		row, _ := rec.Lookup(name)
		line := fmt.Sprintf("%s %s %s %s", row.Path, row.Type, row.Mode, row.Owner)
		if row.Link != "" {
			line += " -> " + row.Link
		}
		if row.Layer < rec.Base.Layers {
			line += fmt.Sprintf(" | base layer %d", row.Layer)
		} else {
			line += " | ours"
		}
		o := *row.Origin
		if o.Base != "" {
			line += " of the base"
			o.Base = ""
			if o.Kind == "base" {
				o.Kind = ""
			}
		}
		switch {
		case o.Kind != "":
			line += ", " + o.String()
		case o.Package != "":
			line += ", package " + o.Package + " " + o.Version
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// renewed are the options to build with a new lock.
func (b *bench) renewed(spec string) Options {
	o := b.options(spec)
	o.Lock = UpdateLock
	return o
}

// has checks that lines of a dump are there, and that those after "-" are not; a line
// stands for all that begin with it.
func has(t *testing.T, what, dump, want string) {
	t.Helper()
	for line := range strings.Lines(want) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		unwanted, not := strings.CutPrefix(line, "- ")
		if strings.Contains("\n"+dump, "\n"+unwanted) == not {
			t.Errorf("%s: %s; all of it:\n%s", what, line, dump)
			return
		}
	}
}
