package check

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"
	"maps"
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
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/hardpan/hardpan/internal/check/facts"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/record"
)

// today is the day that fixtures are checked on.
var today = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

// A fixture is an image to be. Files are lines "/path MODE UID:GID CONTENT", where a
// path that ends in a slash is a directory, and CONTENT "-> TARGET" a symbolic and
// "=> TARGET" a hard link; a line "-/path" is a whiteout.
type fixture struct {
	config  v1.Config
	created time.Time
	history []string
	layers  [][]string
	binary  map[string][]byte // content of files that is no text
	notes   map[string]string // annotations
	xattrs  map[string]string // security.capability, by path
	record  *record.Record
	options Options
}

// sound returns an image that keeps every rule which can be asked of it.
func sound() *fixture {
	return &fixture{
		config: v1.Config{
			User: "1000:1000", Entrypoint: []string{"/app/server"}, Env: []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8"}, WorkingDir: "/home/app",
			ExposedPorts: map[string]struct{}{"8080/tcp": {}}, Healthcheck: &v1.HealthConfig{Test: []string{"CMD", "/app/server", "--probe", "http://localhost:8080/health"}},
			Labels: map[string]string{
				"org.opencontainers.image.title": "app", "org.opencontainers.image.version": "1.2", "org.opencontainers.image.source": "https://example.com/app", "org.opencontainers.image.vendor": "Example",
				"org.opencontainers.image.revision": "0123abc", "org.opencontainers.image.licenses": "MIT", "org.opencontainers.image.created": "2026-11-01T00:00:00Z",
				"org.opencontainers.image.base.name": "debian:13", "org.opencontainers.image.base.digest": "sha256:" + strings.Repeat("ab", 32), "com.example.security.non-root": "true",
			},
			Volumes: map[string]struct{}{"/data": {}}, StopSignal: "SIGTERM",
		},
		created: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
		history: []string{"/bin/sh -c #(nop) ADD file:aa in / ", "RUN /bin/sh -c apt-get update && apt-get install -y --no-install-recommends tool=1.2-1 && rm -rf /var/lib/apt/lists/* # buildkit", "COPY server /app/server # buildkit"},
		layers: [][]string{
			{
				"/etc/passwd 644 0:0 root:x:0:0::/root:/usr/sbin/nologin\\napp:x:1000:1000::/home/app:/usr/sbin/nologin\\n", "/etc/group 644 0:0 root:x:0:\\nshadow:x:42:\\napp:x:1000:\\n",
				"/etc/shadow 640 0:42 root:*:1:::::\\napp:!:1:::::\\n", "/etc/os-release 644 0:0 ID=debian\\nVERSION_ID=\"13\"\\n", "/etc/login.defs 644 0:0 UMASK\\t022\\n",
				"/etc/ssl/openssl.cnf 644 0:0 [system_default_sect]\\nMinProtocol = TLSv1.2\\nCipherString = DEFAULT@SECLEVEL=2\\n", "/tmp/ 1777 0:0", "/home/app/ 750 1000:1000", "/usr/bin/ 755 0:0",
				"/var/lib/dpkg/status 644 0:0 Package: tool\\nStatus: install ok installed\\nVersion: 1.2-1\\n\\n", "/var/lib/dpkg/info/tool.list 644 0:0 /.\\n/usr\\n/usr/bin\\n/usr/bin/tool\\n/app\\n/app/server\\n/usr\\n",
				"/var/lib/dpkg/info/tool.md5sums 644 0:0 5d41402abc4b2a76b9719d911017c592  usr/bin/tool\\n", "/usr/ 755 0:0", "/usr/bin/tool 644 0:0 hello",
			},
			{"/app/ 755 0:0", "/app/server 755 0:0"},
		},
		binary:  map[string][]byte{"/app/server": program(nil)},
		options: Options{Now: today, Reference: "example.com/app:1.2", Attached: Attached{Asked: true, Signed: true, SBOM: true, Provenance: true}},
	}
}

// add puts files into the top layer, in place of those of the same name.
func (f *fixture) add(files ...string) {
	top := &f.layers[len(f.layers)-1]
	for _, file := range files {
		name, _, _ := strings.Cut(file, " ")
		for l := range f.layers {
			f.layers[l] = slices.DeleteFunc(f.layers[l], func(other string) bool { return strings.HasPrefix(other, name+" ") })
		}
		*top = append(*top, file)
	}
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// make makes the image.
func (f *fixture) make(t testing.TB) v1.Image {
	t.Helper()
	img := empty.Image
	for _, files := range f.layers {
		content := f.tar(t, files)
		layer := must[v1.Layer](t)(tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }))
		img = must[v1.Image](t)(mutate.AppendLayers(img, layer))
	}
	doc := must[*v1.ConfigFile](t)(img.ConfigFile()).DeepCopy()
	doc.OS, doc.Architecture, doc.Config, doc.Created = "linux", "amd64", f.config, v1.Time{Time: f.created}
	doc.History = nil
	for _, h := range f.history {
		doc.History = append(doc.History, v1.History{CreatedBy: h, EmptyLayer: true})
	}
	img = must[v1.Image](t)(mutate.ConfigFile(img, doc))
	if f.notes != nil {
		img = mutate.Annotations(img, f.notes).(v1.Image)
	}
	return img
}

// image makes the image and opens it again as hardpan opens any.
func (f *fixture) image(t testing.TB) *oci.Image {
	t.Helper()
	img := f.make(t)
	dir := filepath.Join(t.TempDir(), "layout")
	path := must[layout.Path](t)(layout.Write(dir, empty.Index))
	if err := path.AppendImage(img); err != nil {
		t.Fatal(err)
	}
	src := must[*oci.Source](t)(oci.Open(t.Context(), dir, oci.OpenOptions{}))
	t.Cleanup(func() { src.Close() })
	read := src.Images[0]
	if f.record != nil {
		f.record.Format = record.Format
		read.Config.Record = must[[]byte](t)(f.record.Encode())
	}
	return read
}

func (f *fixture) tar(t testing.TB, files []string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, line := range files {
		if name, ok := strings.CutPrefix(line, "-"); ok {
			dir, base := filepath.Split(name)
			line = dir + ".wh." + base + " 644 0:0"
		}
		fields := strings.SplitN(line, " ", 4)
		content := ""
		if len(fields) == 4 {
			content = strings.NewReplacer(`\n`, "\n", `\t`, "\t").Replace(fields[3])
		}
		if c, ok := f.binary[fields[0]]; ok {
			content = string(c)
		}
		h := &tar.Header{Name: strings.TrimPrefix(fields[0], "/"), Mode: must[int64](t)(strconv.ParseInt(fields[1], 8, 64)), Typeflag: tar.TypeReg}
		owner, group, _ := strings.Cut(fields[2], ":")
		h.Uid, h.Gid = must[int](t)(strconv.Atoi(owner)), must[int](t)(strconv.Atoi(group))
		if c, ok := f.xattrs[fields[0]]; ok {
			h.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": c}
		}
		switch {
		case strings.HasSuffix(fields[0], "/"):
			h.Typeflag = tar.TypeDir
		case strings.HasPrefix(content, "-> "):
			h.Typeflag, h.Linkname = tar.TypeSymlink, content[3:]
		case strings.HasPrefix(content, "=> "):
			h.Typeflag, h.Linkname = tar.TypeLink, strings.TrimPrefix(content[3:], "/")
		case content == "device":
			h.Typeflag = tar.TypeChar
		default:
			h.Size = int64(len(content))
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			w.Write([]byte(content))
		}
	}
	w.Close()
	return b.Bytes()
}

// judge checks the image.
func (f *fixture) judge(t testing.TB) *Report {
	t.Helper()
	img := must[*facts.Image](t)(facts.Read(t.Context(), f.image(t)))
	return Judge(img, f.options)
}

func (r *Report) result(rule string) *Result {
	for i := range r.Results {
		if r.Results[i].Rule == rule {
			return &r.Results[i]
		}
	}
	return nil
}

// linking says how a program is linked; the zero value is all protections.
type linking struct {
	exec, noRELRO, lazy, stack, rwx, library, textrel, silent bool
	rpath                                                     string
	calls                                                     []string
	text                                                      []string // C strings in it
}

// program returns an ELF file for amd64.
func program(change func(*linking)) []byte {
	l := linking{calls: []string{"__stack_chk_fail", "__memcpy_chk", "memset"}}
	if change != nil {
		change(&l)
	}
	names := "\x00" + strings.Join(l.calls, "\x00") + "\x00"
	rpath := len(names)
	names += l.rpath + "\x00"
	const headers = 64 + 8*56
	interp := headers
	strtab := interp + 32
	dynamic := (strtab + len(names) + 15) &^ 15
	entries := [][2]uint64{{uint64(elf.DT_STRTAB), uint64(strtab)}, {uint64(elf.DT_STRSZ), uint64(len(names))}}
	if !l.lazy {
		entries = append(entries, [2]uint64{uint64(elf.DT_FLAGS), uint64(elf.DF_BIND_NOW)})
	}
	if l.rpath != "" {
		entries = append(entries, [2]uint64{uint64(elf.DT_RUNPATH), uint64(rpath)})
	}
	if l.textrel {
		entries = append(entries, [2]uint64{uint64(elf.DT_TEXTREL), 0})
	}
	entries = append(entries, [2]uint64{})
	size := uint64(dynamic + 16*len(entries))
	flags := elf.PF_R | elf.PF_X
	if l.rwx {
		flags |= elf.PF_W
	}
	stack := elf.PF_R | elf.PF_W
	if l.stack {
		stack |= elf.PF_X
	}
	segments := []elf.Prog64{
		{Type: uint32(elf.PT_LOAD), Flags: uint32(flags), Filesz: size, Memsz: size},
		{Type: uint32(elf.PT_DYNAMIC), Off: uint64(dynamic), Vaddr: uint64(dynamic), Filesz: uint64(16 * len(entries))},
		{Type: uint32(elf.PT_GNU_STACK), Flags: uint32(stack)},
	}
	if l.silent {
		segments = segments[:2]
	}
	if !l.library {
		segments = append(segments, elf.Prog64{Type: uint32(elf.PT_INTERP), Off: uint64(interp), Filesz: 28})
	}
	if !l.noRELRO {
		segments = append(segments, elf.Prog64{Type: uint32(elf.PT_GNU_RELRO)})
	}
	h := elf.Header64{Type: uint16(elf.ET_DYN), Machine: uint16(elf.EM_X86_64), Version: 1, Ehsize: 64, Phoff: 64, Phentsize: 56, Phnum: uint16(len(segments)), Shoff: 1 << 40, Shnum: 9, Shentsize: 64}
	if l.exec {
		h.Type = uint16(elf.ET_EXEC)
	}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA], h.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	var b bytes.Buffer
	binary.Write(&b, binary.LittleEndian, h)
	binary.Write(&b, binary.LittleEndian, segments)
	b.Write(make([]byte, interp-b.Len()))
	b.WriteString("/lib64/ld-linux-x86-64.so.2\x00")
	b.Write(make([]byte, strtab-b.Len()))
	b.WriteString(names)
	b.Write(make([]byte, dynamic-b.Len()))
	binary.Write(&b, binary.LittleEndian, entries)
	b.WriteString("\x00" + strings.Join(l.text, "\x00") + "\x00")
	return b.Bytes()
}

func with(labels map[string]string, key, value string) map[string]string {
	m := maps.Clone(labels)
	m[key] = value
	return m
}
