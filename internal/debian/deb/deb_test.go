package deb

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/hardpan/hardpan/internal/debian/archivetest"
)

// hello has an entry of each kind.
func hello(compression string) archivetest.Package {
	return archivetest.Package{
		Name: "hello", Version: "1:2.10-3", Architecture: "amd64",
		Fields: map[string]string{"Depends": "libc6"},
		Files: []archivetest.File{
			{Path: "/usr/bin/hello", Content: "#!/bin/sh\n", Mode: 0o4755},
			{Path: "/usr/bin/hi", Target: "hello"},
			{Path: "/usr/bin/hello2", Target: "./usr/bin/hello", Type: tar.TypeLink},
			{Path: "/var/lib/hello/", UID: 100, GID: 101, Mode: 0o2750},
			{Path: "/etc/hello.conf", Content: "a=b\n"},
		},
		Conffiles:          []string{"/etc/hello.conf"},
		Control:            map[string]string{"postinst": "#!/bin/sh\n"},
		ControlCompression: compression, DataCompression: compression,
	}
}

const helloListing = `. 5 755 0:0
usr 5 755 0:0
usr/bin 5 755 0:0
usr/bin/hello 0 4755 0:0 "#!/bin/sh\n"
usr/bin/hi 2 777 0:0 -> hello
usr/bin/hello2 1 644 0:0 -> usr/bin/hello
var 5 755 0:0
var/lib 5 755 0:0
var/lib/hello 5 2750 100:101
etc 5 755 0:0
etc/hello.conf 0 644 0:0 "a=b\n"
`

// list reads a package to its end and writes down what came out.
func list(d *Reader) (string, error) {
	var out strings.Builder
	for {
		h, err := d.Next()
		if err == io.EOF {
			return out.String(), nil
		}
		if err != nil {
			return out.String(), err
		}
		fmt.Fprintf(&out, "%s %c %o %d:%d", h.Name, h.Typeflag, h.Mode, h.Uid, h.Gid)
		switch h.Typeflag {
		case tar.TypeReg:
			b, err := io.ReadAll(d)
			if err != nil {
				return out.String(), err
			}
			fmt.Fprintf(&out, " %q", b)
		case tar.TypeSymlink, tar.TypeLink:
			fmt.Fprintf(&out, " -> %s", h.Linkname)
		}
		out.WriteByte('\n')
	}
}

func build(t testing.TB, p archivetest.Package) []byte {
	t.Helper()
	b, err := p.Deb()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestReader(t *testing.T) {
	for _, compression := range []string{"xz", "zst", "gz", "none"} {
		for name, chunk := range map[string]func(io.Reader) io.Reader{
			"at once": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader,
		} {
			d, err := NewReader(chunk(bytes.NewReader(build(t, hello(compression)))), Limits{})
			if err != nil {
				t.Fatalf("%s %s: %v", compression, name, err)
			}
			defer d.Close()
			got, err := list(d)
			if err != nil || got != helloListing {
				t.Errorf("%s %s: %v\n%s", compression, name, err, got)
			}
			if p := d.Control.Paragraph; p.Get("Package") != "hello" || p.Get("Version") != "1:2.10-3" || p.Get("Depends") != "libc6" {
				t.Errorf("%s %s: control is %v", compression, name, p)
			}
			if f := d.Control.Files; string(f["conffiles"]) != "/etc/hello.conf\n" || string(f["postinst"]) != "#!/bin/sh\n" || len(f["md5sums"]) == 0 {
				t.Errorf("%s %s: control files are %q", compression, name, f)
			}
		}
	}
}

// A package that ends before its last file does is an error, which mostly says so:
// within a compressed stream the decoder may notice first. What follows the last
// file is not looked at; the digest of the whole is the store's to check.
func TestTruncated(t *testing.T) {
	for _, compression := range []string{"xz", "zst", "gz", "none"} {
		whole := build(t, hello(compression))
		tried, said := 0, 0
		for n := 0; n < len(whole); n += 1 + n/400 {
			tried++
			d, err := NewReader(bytes.NewReader(whole[:n]), Limits{})
			var got string
			if err == nil {
				got, err = list(d)
				d.Close()
			}
			if err == nil && got != helloListing {
				t.Fatalf("%s: %d of %d bytes are a whole package with\n%s", compression, n, len(whole), got)
			}
			if err == nil || errors.Is(err, ErrTruncated) {
				said++
			}
		}
		if said < tried*9/10 {
			t.Errorf("%s: %d of %d are said to be truncated", compression, said, tried)
		}
	}
}

func TestLimits(t *testing.T) {
	whole := build(t, hello("zst"))
	for name, c := range map[string]struct {
		limits Limits
		want   string
	}{
		"fits":    {Limits{Data: 1 << 20, Control: 1 << 20, Entries: 11}, ""},
		"data":    {Limits{Data: 2048}, "data.tar: data.tar unpacks to more than the limit of 2048 bytes"},
		"control": {Limits{Control: 512}, "control: control.tar unpacks to more than the limit of 512 bytes"},
		"entries": {Limits{Entries: 10}, "data.tar: unpacks to more than the limit of 10 entries"},
	} {
		d, err := NewReader(bytes.NewReader(whole), c.limits)
		if err == nil {
			_, err = list(d)
			d.Close()
		}
		if got := fmt.Sprint(err); c.want == "" && err != nil || c.want != "" && (got != c.want || !errors.Is(err, ErrTooLarge)) {
			t.Errorf("%s: have %v, want %s", name, err, c.want)
		}
	}
}

func TestDataLimit(t *testing.T) {
	for kib, want := range map[int64]int64{
		-1: 8 << 30, 0: 8 << 30, 1: 64<<20 + 4096, 1 << 20: 64<<20 + 4<<30, 1 << 21: 8 << 30, 1 << 62: 8 << 30,
	} {
		if got := DataLimit(kib); got != want {
			t.Errorf("%d KiB installed: limit %d, want %d", kib, got, want)
		}
	}
}

func TestCleanName(t *testing.T) {
	for name, want := range map[string]string{
		"./": ".", "./usr/bin/env": "usr/bin/env", "usr//bin/./env/": "usr/bin/env", "./a b": "a b", "./ümlaut": "ümlaut", "./...": "...", "./.wh": ".wh",
	} {
		if got, err := cleanName(name); err != nil || got != want {
			t.Errorf("%q is %q, %v, want %q", name, got, err, want)
		}
	}
	for _, name := range []string{"", "/", "/etc", "..", "../a", "a/../b", "./a/..", ".wh.a", "a/.wh..wh..opq", "a\nb", "a\x00b", "\x7f", strings.Repeat("a", 4097)} {
		if got, err := cleanName(name); err == nil {
			t.Errorf("%q is taken for %q", name, got)
		}
	}
}

// Members before the data that begin with an underscore are for others (deb(5)).
func TestOtherMembers(t *testing.T) {
	whole := build(t, hello("gz"))
	// The member debian-binary takes 8+60+4 bytes.
	other := archivetest.Ar([]archivetest.Member{{Name: "_gpgorigin", Content: []byte("odd")}})[8:]
	d, err := NewReader(bytes.NewReader(append(append(bytes.Clone(whole[:72]), other...), whole[72:]...)), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if got, err := list(d); err != nil || got != helloListing {
		t.Errorf("%v\n%s", err, got)
	}
}

// Whatever the bytes are, nothing panics, and what comes out is what the package
// promises: clean names, each once, files and links only, within the limits.
func FuzzReader(f *testing.F) {
	for _, compression := range []string{"xz", "zst", "gz", "none"} {
		f.Add(build(f, hello(compression)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := NewReader(bytes.NewReader(b), Limits{Data: 1 << 20, Control: 1 << 20, Entries: 1000})
		if err != nil {
			return
		}
		defer d.Close()
		seen := map[string]byte{}
		var size int64
		for {
			h, err := d.Next()
			if err != nil {
				return
			}
			if h.Name != path.Clean(h.Name) || strings.HasPrefix(h.Name, "/") || strings.HasPrefix(h.Name+"/", "../") || hasControl(h.Name) {
				t.Fatalf("name %q", h.Name)
			}
			if strings.HasPrefix(path.Base(h.Name), ".wh.") {
				t.Fatalf("whiteout %q", h.Name)
			}
			if old, twice := seen[h.Name]; twice && (old != tar.TypeDir || h.Typeflag != tar.TypeDir) {
				t.Fatalf("%q twice", h.Name)
			}
			seen[h.Name] = h.Typeflag
			switch h.Typeflag {
			case tar.TypeReg, tar.TypeDir, tar.TypeSymlink:
			case tar.TypeLink:
				if flag := seen[h.Linkname]; flag != tar.TypeReg && flag != tar.TypeLink {
					t.Fatalf("hard link %q to %q of type %q", h.Name, h.Linkname, flag)
				}
			default:
				t.Fatalf("%q has type %q", h.Name, h.Typeflag)
			}
			n, err := io.Copy(io.Discard, d)
			if size += n; size > 1<<20 {
				t.Fatalf("%d bytes came out of a limit of %d", size, 1<<20)
			}
			if err != nil {
				return
			}
		}
	})
}
