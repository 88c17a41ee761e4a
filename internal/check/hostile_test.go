package check

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/check/facts"
	"github.com/hardpan/hardpan/internal/oci"
)

// members is a tar of headers whose content is what is given, or none.
func members(t testing.TB, list ...*tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range list {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg && h.Size < 1<<20 {
			w.Write(make([]byte, h.Size))
		}
	}
	w.Flush()
	return b.Bytes()
}

// maxPathsOfFacts is how many paths facts takes.
const maxPathsOfFacts = 400_000

func manyFiles(n int) []*tar.Header {
	list := make([]*tar.Header, n)
	for i := range list {
		list[i] = &tar.Header{Name: fmt.Sprintf("d%d/f%d", i%100, i), Typeflag: tar.TypeReg}
	}
	return list
}

func deepLinks(n int) []*tar.Header {
	list := []*tar.Header{{Name: "b", Linkname: ".", Typeflag: tar.TypeSymlink}}
	for i := range n {
		list = append(list, &tar.Header{Name: fmt.Sprintf("l%d", i), Linkname: strings.Repeat("b/", 1500), Typeflag: tar.TypeSymlink})
	}
	return list
}

func manyLines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "/usr/lib/f%d\n", i)
	}
	return b.String()
}

// Images made to break their reader end in an error or in a report, and soon.
func TestHostile(t *testing.T) {
	link := func(name, to string) *tar.Header {
		return &tar.Header{Name: name, Linkname: to, Typeflag: tar.TypeSymlink}
	}
	hard := func(name, to string) *tar.Header {
		return &tar.Header{Name: name, Linkname: to, Typeflag: tar.TypeLink}
	}
	text := func(name, content string) []byte {
		f := &fixture{binary: map[string][]byte{name: []byte(content)}}
		return f.tar(t, []string{name + " 644 0:0 x"})
	}
	for _, c := range []struct {
		name   string
		config string
		layers [][]byte
		want   error // nil: a report
	}{
		{"a file of more bytes than there are", "{}", [][]byte{members(t, &tar.Header{Name: "bomb", Size: 1 << 60, Typeflag: tar.TypeReg})}, oci.ErrTooLarge},
		{"links in circles", `{"config":{"Entrypoint":["/a/x"],"User":"x"}}`, [][]byte{members(t, link("a", "b"), link("b", "a"), link("etc", "etc"), link("c/d", "../c/d"), hard("h", "h"), hard("i", "j"), hard("j", "i"))}, nil},
		{"links out of the image", `{"config":{"Entrypoint":["x"],"Env":["PATH=../..:/../../bin"]}}`, [][]byte{members(t, link("x", "../../../../etc/passwd"), link("etc/passwd", "/../../../../../etc/shadow"))}, nil},
		{"names out of the image", "{}", [][]byte{members(t, &tar.Header{Name: "../../etc/passwd", Size: 4, Typeflag: tar.TypeReg}, &tar.Header{Name: "/", Typeflag: tar.TypeDir}, &tar.Header{Name: "./.wh.", Typeflag: tar.TypeReg}, &tar.Header{Name: ".wh..wh..opq", Typeflag: tar.TypeReg})}, nil},
		{"a link to a long chain of itself", "{}", [][]byte{members(t, link("a", strings.Repeat("a/", 2000)), link("etc/passwd", "/a"))}, nil},
		{"a passwd without end", "{}", [][]byte{text("/etc/passwd", strings.Repeat("x:x:0:0::/:/bin/sh\n", 100000)+strings.Repeat(":", 1<<20))}, nil},
		{"a status file of one line", "{}", [][]byte{text("/var/lib/dpkg/status", strings.Repeat("Package: a ", 1<<18))}, nil},
		{"a list of one path many times", "{}", [][]byte{text("/var/lib/dpkg/info/a.list", strings.Repeat("/usr/bin/../bin/a\n", 100000))}, nil},
		{"ports without end", `{"config":{"ExposedPorts":{"0-99999999999/tcp":{},"1-65535":{},"x":{},"-1":{}}}}`, nil, nil},
		{"a config that is none", `[1]`, nil, nil},
		{"history of nonsense", `{"history":[{"created_by":"|999999999 A /bin/sh -c"},{"created_by":"|"},{"created_by":"|-5 x"},{"created_by":"RUN"},{"created_by":"/bin/sh -c #(nop)"},{"created_by":"/bin/sh -c "}]}`, nil, nil},
		{"a health check of nothing", `{"config":{"Healthcheck":{"Test":["CMD-SHELL",""]},"Entrypoint":[""],"User":":"}}`, nil, nil},
		{"a group of members without end", `{"config":{"User":"x"}}`, [][]byte{text("/etc/group", "g:x:5:"+strings.Repeat("x,", 1<<20)+"\n")}, nil},
		{"accounts of zero bytes", "{}", [][]byte{text("/etc/passwd", strings.Repeat("\x00", 1<<20)+strings.Repeat("a::", 1<<18))}, nil},
		{"more paths than any image has", "{}", [][]byte{members(t, manyFiles(maxPathsOfFacts+1)...)}, oci.ErrTooLarge},
		{"deep links", "{}", [][]byte{members(t, deepLinks(500)...)}, nil},
		{"whiteouts of nothing", "{}", [][]byte{members(t, &tar.Header{Name: "a/.wh.b", Typeflag: tar.TypeReg}, &tar.Header{Name: ".wh..", Typeflag: tar.TypeReg}, &tar.Header{Name: ".wh...", Typeflag: tar.TypeReg})}, nil},
		{"a hard link out of the image", "{}", [][]byte{members(t, hard("h", "../../outside"), hard("etc/shadow", "/h"))}, nil},
		{"one name many times", "{}", [][]byte{members(t, slices.Repeat([]*tar.Header{link("x", "x/x"), {Name: "x", Typeflag: tar.TypeDir}}, 1000)...)}, nil},
		{"deep JSON", "{}", [][]byte{text("/root/.docker/config.json", strings.Repeat("[", 1<<20)), text("/app/a.json", strings.Repeat(`{"a":`, 1<<18))}, nil},
		{"history of one command", `{"history":[{"created_by":"RUN /bin/sh -c ` + strings.Repeat("apt-get update && ", 1<<16) + `"}]}`, nil, nil},
		{"history of words", `{"history":[{"created_by":"RUN ` + strings.Repeat("a=b ", 1<<18) + `"}]}`, nil, nil},
		{"tokens without end", "{}", [][]byte{text("/app/x", "\x00"+strings.Repeat("AKIA", 1<<20)), text("/app/y", "\x00"+strings.Repeat("-----BEGIN PRIVATE KEY-----\n", 1<<16))}, nil},
		{"base64 without end", "{}", [][]byte{text("/app/x", strings.Repeat("a2V5IHRva2VuIHBhc3N3b3Jk", 1<<16)), text("/app/y", strings.Repeat("YXBpX2tleT0x ", 1<<16))}, nil},
		{"programs whose headers lie", "{}", [][]byte{text("/app/x", "\x7fELF\x02\x01\x01"+strings.Repeat("\xff", 1<<16)), text("/app/y", string(program(nil)[:64])+strings.Repeat("\xff", 1<<16))}, nil},
		{"a package list beyond bounds", "{}", [][]byte{text("/var/lib/dpkg/info/a.list", manyLines(maxPathsOfFacts+10)), text("/var/lib/dpkg/status", "Package: a\n")}, nil},
		{"text of keys alone", "{}", [][]byte{text("/app/x", strings.Repeat("key = ", 1<<18)), text("/app/y", strings.Repeat("api_key=aaaaaaaaaaaaaa", 1<<16))}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			img, err := facts.Read(t.Context(), raw([]byte(c.config), c.layers...))
			if !errors.Is(err, c.want) {
				t.Fatalf("have %v, want %v", err, c.want)
			}
			if err == nil && len(Judge(img, Options{Now: today}).Results) == 0 {
				t.Error("no rule was asked")
			}
		})
	}
}

// Findings without end are counted, not listed.
func TestManyFindings(t *testing.T) {
	f := sound()
	for i := range 3 * maxFindings {
		f.add(fmt.Sprintf("/app/%d 666 0:0 x", i))
	}
	got := f.judge(t).result("world-writable-file")
	if len(got.Findings) != maxFindings || got.Omitted != 2*maxFindings {
		t.Errorf("%d findings, %d omitted", len(got.Findings), got.Omitted)
	}
}
