package facts

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

// A member is an entry of a layer with its content.
type member struct {
	header  tar.Header
	content []byte
}

// members are files of every kind that is looked at.
func members() []member {
	elf := append([]byte("\x7fELF\x02\x01\x01"), bytes.Repeat([]byte{0, 1, 2}, 60_000)...)
	text := strings.Repeat("line\n", 200_000) + "aws_access_key_id = AKIAIMNOJVGFDXXXE4OA\n"
	return []member{
		{tar.Header{Typeflag: tar.TypeDir, Name: "etc/", Mode: 0o755}, nil},
		{tar.Header{Typeflag: tar.TypeReg, Name: "etc/passwd", Mode: 0o644}, []byte("root:x:0:0::/root:/bin/sh\n")},
		{tar.Header{Typeflag: tar.TypeReg, Name: "usr/bin/x", Mode: 0o4755, Uid: 7}, elf},
		{tar.Header{Typeflag: tar.TypeReg, Name: "srv/notes", Mode: 0o600}, []byte(text)},
		{tar.Header{Typeflag: tar.TypeReg, Name: "srv/empty", Mode: 0o600}, nil},
		{tar.Header{Typeflag: tar.TypeSymlink, Name: "bin", Linkname: "usr/bin"}, nil},
		{tar.Header{Typeflag: tar.TypeLink, Name: "usr/bin/y", Linkname: "usr/bin/x"}, nil},
		{tar.Header{Typeflag: tar.TypeReg, Name: "opt/.wh.old"}, nil},
	}
}

// gather passes members to a gatherer, contents in pieces as chunk has them.
func gather(t *testing.T, list []member, vouched bool, chunk func(io.Reader) io.Reader) *Content {
	t.Helper()
	g := NewGatherer(func(*tar.Header) bool { return vouched })
	for _, m := range list {
		m.header.Size = int64(len(m.content))
		w, err := g.Entry(&m.header)
		if err != nil {
			t.Fatal(err)
		}
		if w == nil {
			continue
		}
		if _, err := io.Copy(w, chunk(bytes.NewReader(m.content))); err != nil {
			t.Fatal(err)
		}
	}
	c, err := g.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func whole(r io.Reader) io.Reader { return r }

// A layer has the same content in whatever pieces it passes, and JSON keeps it.
func TestContentIsTheSame(t *testing.T) {
	want := gather(t, members(), false, whole)
	if len(want.Secrets) != 1 || want.Secrets[0].Line != 200_001 || len(want.Texts) != 1 || len(want.Whiteouts) != 1 || len(want.Files) != 7 || !want.Portable() {
		t.Fatalf("content is %+v", want)
	}
	for name, chunk := range map[string]func(io.Reader) io.Reader{"halves": iotest.HalfReader, "bytes": iotest.OneByteReader, "end with the data": iotest.DataErrReader} {
		if got := gather(t, members(), false, chunk); !reflect.DeepEqual(got.Files, want.Files) || !reflect.DeepEqual(got.Texts, want.Texts) || len(got.Secrets) != 1 || got.Secrets[0].Line != 200_001 {
			t.Errorf("%s: content is %+v", name, got.Files)
		}
	}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var kept Content
	if err := json.Unmarshal(text, &kept); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(kept.Files, want.Files) || !reflect.DeepEqual(kept.Texts, want.Texts) || len(kept.Secrets) != 1 || kept.Secrets[0].Shown != want.Secrets[0].Shown || kept.Unpacked != want.Unpacked {
		t.Errorf("JSON keeps\n%s", text)
	}
}

// The content of a layer that was joined is that of its parts.
func TestJoin(t *testing.T) {
	list := members()
	want := gather(t, list, false, whole)
	got := Join(gather(t, list[:3], false, whole), gather(t, list[3:], false, whole))
	if !reflect.DeepEqual(got.Files, want.Files) || !reflect.DeepEqual(got.Texts, want.Texts) || !reflect.DeepEqual(got.Whiteouts, want.Whiteouts) || got.Secrets[0].File != want.Secrets[0].File || got.Unpacked != want.Unpacked {
		t.Errorf("joined is %+v, want %+v", got, want)
	}
}

// Files that somebody vouches for are neither searched nor summed.
func TestVouched(t *testing.T) {
	c := gather(t, members(), true, whole)
	if len(c.Secrets) != 0 {
		t.Errorf("found %+v", c.Secrets)
	}
	for _, f := range c.Files {
		if f.Type == Regular && (!f.Vouched || f.MD5 != MD5{}) || f.Size >= LargeFile && f.CRC == 0 {
			t.Errorf("%+v", f)
		}
	}
	odd := gather(t, []member{{tar.Header{Typeflag: tar.TypeReg, Name: "\xff"}, nil}}, true, whole)
	if odd.Portable() {
		t.Error("JSON would not give back a name that is no UTF-8")
	}
}
