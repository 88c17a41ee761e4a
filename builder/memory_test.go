package builder

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/hardpan/hardpan/internal/debian/archivetest"
	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/specs"
)

// maxResident is what a build may hold of an image of any size, in bytes.
const maxResident = 250 << 20

// TestMemoryDoesNotGrowWithTheImage builds large images in a process of their own
// and looks at the most memory that it had resident.
func TestMemoryDoesNotGrowWithTheImage(t *testing.T) {
	if dir := os.Getenv("HARDPAN_TEST_BUILD"); dir != "" {
		buildForMemory(t, dir)
		return
	}
	if testing.Short() {
		t.Skip("-short: writes 2 GB")
	}
	for _, c := range []struct {
		name  string
		files int
		size  int64
	}{
		{"a package of 2 GB", 20, 100 << 20},
		{"a package of 100,000 files", 100_000, 64},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			writeLargePackage(t, dir, c.files, c.size)
			cmd := exec.Command(os.Args[0], "-test.run=^TestMemoryDoesNotGrowWithTheImage$")
			cmd.Env = append(os.Environ(), "HARDPAN_TEST_BUILD="+dir)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			resident := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
			t.Logf("%d MB resident", resident/1e6)
			if resident > maxResident {
				t.Errorf("%d bytes resident, at most %d allowed", resident, int64(maxResident))
			}
		})
	}
}

func buildForMemory(t *testing.T, dir string) {
	_, err := Build(context.Background(), Options{
		Spec: filepath.Join(dir, "large.yaml"), Lock: RequireLock, FailOn: "never", CacheDir: filepath.Join(dir, "cache"),
		Outputs: Outputs{Layout: filepath.Join(dir, "out")},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// writeLargePackage puts a package of that many files of that size each into a
// cache, and a spec and its lock beside it.
func writeLargePackage(t *testing.T, dir string, files int, size int64) {
	t.Helper()
	spec := "apiVersion: hardpan/v1\nname: large\nversion: \"1\"\ndistro: debian/trixie\nplatforms: [linux/amd64]\ncontents:\n  packages: [large]\n"
	if err := os.WriteFile(filepath.Join(dir, "large.yaml"), []byte(spec), 0o644); err != nil {
		t.Fatal(err)
	}
	cache, err := store.Open(filepath.Join(dir, "cache"))
	if err != nil {
		t.Fatal(err)
	}
	w, err := cache.Create()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	writeDeb(t, w, files, size)
	length := w.Size()
	digest, err := w.Commit("")
	if err != nil {
		t.Fatal(err)
	}
	base, err := specs.Load(filepath.Join(dir, "large.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	request, err := (&build{base: base}).request()
	if err != nil {
		t.Fatal(err)
	}
	l := lock.Lock{
		LockVersion: lock.Version, Request: request,
		Archives: []lock.Archive{{ID: "debian/trixie", Suite: "trixie", Date: time.Unix(1754697600, 0)}},
		Platforms: map[string]lock.Platform{"linux/amd64": {Packages: []lock.Package{{
			Name: "large", Version: "1", Architecture: "all", Archive: "debian/trixie", Path: "pool/large.deb",
			Size: length, SHA256: digest.Hex(), Why: "requested",
		}}}},
	}
	if err := writeLock(lock.Path(filepath.Join(dir, "large.yaml")), &l); err != nil {
		t.Fatal(err)
	}
}

// writeDeb writes a package whose data tar is not compressed, so that its size is
// known before and nothing need be held.
func writeDeb(t *testing.T, w io.Writer, files int, size int64) {
	control := &bytes.Buffer{}
	ct := tar.NewWriter(control)
	text := []byte("Package: large\nVersion: 1\nArchitecture: all\n")
	must(t, ct.WriteHeader(&tar.Header{Name: "./control", Mode: 0o644, Size: int64(len(text))}))
	_, err := ct.Write(text)
	must(t, err)
	must(t, ct.Close())
	_, err = w.Write(archivetest.Ar([]archivetest.Member{
		{Name: "debian-binary", Content: []byte("2.0\n")}, {Name: "control.tar", Content: control.Bytes()},
	}))
	must(t, err)
	padded := (size + 511) / 512 * 512
	fmt.Fprintf(w, "%-16s%-12d%-6d%-6d%-8o%-10d`\n", "data.tar", 0, 0, 0, 0o100644, int64(files)*(512+padded)+1024)
	dt := tar.NewWriter(w)
	block := make([]byte, 64<<10)
	for i := range files {
		name := fmt.Sprintf("./usr/share/large/%03d/%05d-%s", i/1000, i, digits(i))
		must(t, dt.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: size, Format: tar.FormatUSTAR}))
		for left := size; left > 0; left -= int64(len(block)) {
			copy(block, digits(i+int(left))) // a little different each time
			_, err := dt.Write(block[:min(left, int64(len(block)))])
			must(t, err)
		}
	}
	must(t, dt.Close())
}

// digits returns a name that does not compress.
func digits(i int) string {
	sum := sha256.Sum256(fmt.Append(nil, i))
	return hex.EncodeToString(sum[:8])
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
