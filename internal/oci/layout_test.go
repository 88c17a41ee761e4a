package oci_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
)

func writeLayout(t testing.TB, dir string, x *oci.Index) {
	t.Helper()
	check(t, oci.WriteLayout(t.Context(), dir, x, oci.LayoutOptions{RefName: "3.13"}))
}

// A layout has the blobs, index.json and oci-layout, and nothing else; written
// again it has the new image's and nothing else.
func TestLayoutRewritten(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "dist")
	st := openStore(t)
	x, other := buildIndex(t, st, linuxAMD64, linuxARM64), otherIndex(t, st)
	for _, x := range []*oci.Index{x, other, x, x} {
		writeLayout(t, dir, x)
		if got, want := names(t, dir), layoutNames(blobsOf(t, x)); got != want {
			t.Errorf("files\n%s\nwant\n%s", got, want)
		}
		check(t, readEverything(t, dir, oci.OpenOptions{}))
	}
	if got := names(t, filepath.Dir(filepath.Dir(dir))); strings.Contains(got, "partial") {
		t.Errorf("left behind: %s", got)
	}
	index, err := os.ReadFile(filepath.Join(dir, "index.json"))
	check(t, err)
	want := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"%s","size":%d,"annotations":{"org.opencontainers.image.ref.name":"3.13"}}]}`, x.Digest, len(x.Manifest))
	if string(index) != want {
		t.Errorf("index.json\n got %s\nwant %s", index, want)
	}
}

// Blobs that are right stay the files they are; others are written anew. Files
// that are not named like a blob are not touched.
func TestLayoutKeepsBlobs(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "dist")
	x := buildIndex(t, openStore(t), linuxAMD64)
	writeLayout(t, dir, x)
	l := x.Images[0].Layers
	path := func(i int) string { return filepath.Join(dir, "blobs/sha256", l[i].Digest.Hex()) }
	kept, err := os.Stat(path(0))
	check(t, err)
	damaged, err := os.ReadFile(path(1))
	check(t, err)
	damaged[0] ^= 1
	check(t, os.WriteFile(path(1), damaged, 0o644))
	check(t, os.Remove(path(2)))
	note := filepath.Join(dir, "blobs/sha256/README")
	orphan := filepath.Join(dir, "blobs/sha256", store.DigestOf([]byte("orphan")).Hex())
	for _, f := range []string{note, orphan, filepath.Join(dir, "notes.txt")} {
		check(t, os.WriteFile(f, []byte("orphan"), 0o644))
	}
	writeLayout(t, dir, x)
	check(t, readEverything(t, dir, oci.OpenOptions{}))
	now, err := os.Stat(path(0))
	check(t, err)
	if !os.SameFile(kept, now) {
		t.Error("a blob that was right was written again")
	}
	want := strings.Split(layoutNames(blobsOf(t, x))+"\nblobs/sha256/README\nnotes.txt", "\n")
	slices.Sort(want)
	if got, want := names(t, dir), strings.Join(want, "\n"); got != want {
		t.Errorf("files\n%s\nwant\n%s", got, want)
	}
}

func TestLayoutRefuses(t *testing.T) {
	t.Parallel()
	x := buildIndex(t, openStore(t), linuxAMD64)
	for _, e := range []struct {
		name  string
		files string // "name=content", one a line
		ref   string
		want  string
	}{
		{"something else", "main.go=package main", "", "it has main.go but no oci-layout"},
		{"another version", `oci-layout={"imageLayoutVersion":"2.0.0"}`, "", `says version "2.0.0", expected 1.0.0`},
		{"bad mark", `oci-layout=x`, "", "not an OCI image layout: oci-layout"},
		{"bad tag", "", "a b", `reference name "a b"`},
		{"bad tag end", "", "a-", `reference name "a-"`},
	} {
		t.Run(e.name, func(t *testing.T) {
			dir := t.TempDir()
			if name, content, ok := strings.Cut(e.files, "="); ok {
				check(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
			}
			before := names(t, dir)
			if err := oci.CheckLayout(dir); e.ref == "" && err == nil {
				t.Error("CheckLayout has nothing against it")
			}
			err := oci.WriteLayout(t.Context(), dir, x, oci.LayoutOptions{RefName: e.ref})
			wantError(t, err, "cannot write OCI layout "+dir, e.want)
			if e.files != "" && !errors.Is(err, oci.ErrNotLayout) {
				t.Errorf("error %v is not ErrNotLayout", err)
			}
			if after := names(t, dir); after != before {
				t.Errorf("files %q, before %q", after, before)
			}
		})
	}
	file := filepath.Join(t.TempDir(), "file")
	check(t, os.WriteFile(file, []byte("mine"), 0o644))
	wantError(t, oci.WriteLayout(t.Context(), file, x, oci.LayoutOptions{}), "not a directory")
	wantError(t, oci.WriteLayout(t.Context(), filepath.Join(file, "sub"), x, oci.LayoutOptions{}), "not a directory")
	several := t.TempDir()
	check(t, os.WriteFile(filepath.Join(several, "oci-layout"), []byte(`{"imageLayoutVersion": "1.0.0"}`), 0o644))
	entry := `{"mediaType": "application/vnd.oci.image.index.v1+json", "size": 2, "digest": "` + string(x.Digest) + `", "annotations": {"org.opencontainers.image.ref.name": "%s"}}`
	index := fmt.Sprintf(`{"schemaVersion": 2, "manifests": [`+entry+`, `+entry+`]}`, "b", "a")
	check(t, os.WriteFile(filepath.Join(several, "index.json"), []byte(index), 0o644))
	wantError(t, oci.WriteLayout(t.Context(), several, x, oci.LayoutOptions{RefName: "a"}), "it has 2 images, a, b, which would be removed")
	if got := names(t, several); got != "index.json\noci-layout" {
		t.Errorf("files %q where several images are kept", got)
	}
	link := filepath.Join(t.TempDir(), "link")
	check(t, os.Symlink("gone/out", link))
	err := oci.WriteLayout(t.Context(), link, x, oci.LayoutOptions{})
	wantError(t, err, "cannot write OCI layout "+link+": it is a symbolic link to gone/out, which does not exist")
	if got := names(t, filepath.Dir(link)); got != "link" {
		t.Errorf("files %q beside the link", got)
	}
}

// An empty directory, made by its owner perhaps where this user could not make
// one, is filled; a layout's mark without an index is what a killed writer left.
func TestLayoutIntoEmpty(t *testing.T) {
	t.Parallel()
	x := buildIndex(t, openStore(t), linuxAMD64)
	for _, files := range []string{"", ".partial-X=", `oci-layout={"imageLayoutVersion": "1.0.0"}`} {
		dir := t.TempDir()
		if name, content, ok := strings.Cut(files, "="); ok {
			check(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
		}
		writeLayout(t, dir, x)
		if got, want := names(t, dir), layoutNames(blobsOf(t, x)); got != want {
			t.Errorf("files\n%s\nwant\n%s", got, want)
		}
		check(t, readEverything(t, dir, oci.OpenOptions{}))
	}
}

// Writers of one layout take turns: whoever is last, the image is whole.
func TestLayoutConcurrent(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	images := []*oci.Index{buildIndex(t, st, linuxAMD64), otherIndex(t, st), buildIndex(t, st, linuxARM64)}
	for range 4 {
		dir := filepath.Join(t.TempDir(), "dist")
		var wg sync.WaitGroup
		for i := range 9 {
			wg.Go(func() {
				if err := oci.WriteLayout(t.Context(), dir, images[i%len(images)], oci.LayoutOptions{}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		s, err := oci.Open(t.Context(), dir, oci.OpenOptions{})
		check(t, err)
		if got, want := names(t, dir), layoutNames(blobsOf(t, s.Index)); got != want {
			t.Errorf("files\n%s\nwant\n%s", got, want)
		}
		s.Close()
		check(t, readEverything(t, dir, oci.OpenOptions{}))
		if got := names(t, filepath.Dir(dir)); strings.Contains(got, "partial") {
			t.Errorf("left behind: %s", got)
		}
	}
}

// A writer that waits for another gives up when its context ends.
func TestLayoutWaitCancelled(t *testing.T) {
	t.Parallel()
	x := buildIndex(t, openStore(t), linuxAMD64)
	dir := t.TempDir()
	f, err := os.Open(dir)
	check(t, err)
	defer f.Close()
	check(t, syscall.Flock(int(f.Fd()), syscall.LOCK_EX))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantError(t, oci.WriteLayout(ctx, dir, x, oci.LayoutOptions{}), "waiting for another writer")
}

// A process is killed while it writes, at each blob in turn: what was under the
// final name is whole, and the next writer leaves nothing of the killed one.
func TestKilledWriter(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv("OCI_TEST_WRITE"); dir != "" {
		writeUntilKilled(t, dir)
	}
	st := openStore(t)
	for _, before := range []string{"nothing", "another image"} {
		for n := range 3 {
			t.Run(fmt.Sprintf("%s, blob %d", before, n), func(t *testing.T) {
				parent := t.TempDir()
				for _, kind := range []string{"layout", "archive.tar"} {
					out := filepath.Join(parent, kind)
					write := func(x *oci.Index) {
						if kind == "layout" {
							writeLayout(t, out, x)
						} else {
							check(t, oci.WriteArchive(t.Context(), out, x, oci.LayoutOptions{}))
						}
					}
					if before != "nothing" {
						write(bareIndex(t, st))
					}
					killAtBlob(t, out, n)
					if before == "nothing" {
						if _, err := os.Lstat(out); !errors.Is(err, os.ErrNotExist) {
							t.Errorf("%s exists: %v", out, err)
						}
					} else {
						check(t, readEverything(t, out, oci.OpenOptions{}))
					}
					write(buildIndex(t, st, linuxAMD64))
					check(t, readEverything(t, out, oci.OpenOptions{}))
				}
				if got := names(t, parent); strings.Contains(got, "partial") {
					t.Errorf("left behind: %s", got)
				}
			})
		}
	}
}

// writeUntilKilled writes an image whose n-th blob never ends.
func writeUntilKilled(t *testing.T, out string) {
	n, err := strconv.Atoi(os.Getenv("OCI_TEST_BLOB"))
	check(t, err)
	x := buildIndex(t, openStore(t), linuxAMD64)
	l := &x.Images[0].Layers[n]
	open := l.Open
	l.Open = func() (io.ReadCloser, error) {
		r, err := open()
		return &stuckReader{r}, err
	}
	if strings.HasSuffix(out, ".tar") {
		err = oci.WriteArchive(t.Context(), out, x, oci.LayoutOptions{})
	} else {
		err = oci.WriteLayout(t.Context(), out, x, oci.LayoutOptions{Jobs: 1})
	}
	t.Fatalf("was not killed: %v", err)
}

// A stuckReader gives some bytes, says so, and then none.
type stuckReader struct{ io.ReadCloser }

func (r *stuckReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p[:min(10, len(p))])
	if err != nil {
		return n, err
	}
	fmt.Println("stuck")
	time.Sleep(time.Hour) // and not select{}, which the runtime takes for a deadlock and ends
	return n, nil
}

func killAtBlob(t *testing.T, out string, n int) {
	t.Helper()
	exe, err := os.Executable()
	check(t, err)
	cmd := exec.Command(exe, "-test.run=^TestKilledWriter$")
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir(), "OCI_TEST_WRITE="+out, "OCI_TEST_BLOB="+strconv.Itoa(n))
	stdout, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	for s := bufio.NewScanner(stdout); s.Scan() && s.Text() != "stuck"; {
		t.Log(s.Text())
	}
	check(t, cmd.Process.Kill())
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the writer ended by itself: %v", err)
	}
}

// A full disk is one error, and leaves what was there before.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("the host does not allow mounting a tmpfs: %v", err)
	}
	defer syscall.Unmount(dir, 0)
	st := openStore(t)
	big := make([]byte, 100<<10)
	d, err := st.Put(big)
	check(t, err)
	layer := oci.Layer{Digest: d, DiffID: d, Size: int64(len(big)), MediaType: oci.MediaLayer, Open: func() (io.ReadCloser, error) { return st.Open(d) }}
	img, err := oci.NewImage(st, oci.Config{Platform: linuxAMD64}, []oci.Layer{layer}, oci.Annotations{})
	check(t, err)
	x, err := oci.NewIndex(st, []*oci.Image{img}, oci.Annotations{})
	check(t, err)

	writers := map[string]func(*oci.Index) error{
		"layout": func(x *oci.Index) error { return oci.WriteLayout(t.Context(), dir+"/layout", x, oci.LayoutOptions{}) },
		"a.tar":  func(x *oci.Index) error { return oci.WriteArchive(t.Context(), dir+"/a.tar", x, oci.LayoutOptions{}) },
		"docker.tar": func(x *oci.Index) error {
			return oci.WriteDockerArchive(t.Context(), dir+"/docker.tar", x, oci.DockerArchiveOptions{})
		},
	}
	for name, write := range writers {
		wantError(t, write(x), "no space left on device")
		if left := names(t, dir); left != "" {
			t.Errorf("%s left %s", name, left)
		}
		check(t, write(otherIndex(t, st)))
		wantError(t, write(x), "no space left on device")
		check(t, readEverything(t, filepath.Join(dir, name), oci.OpenOptions{}))
		check(t, os.RemoveAll(filepath.Join(dir, name)))
	}
}

// Files get the modes that the umask leaves, so that others can read the output.
func TestModes(t *testing.T) {
	dir := t.TempDir()
	x := otherIndex(t, openStore(t))
	old := syscall.Umask(0o022)
	defer syscall.Umask(old)
	writeLayout(t, dir+"/layout", x)
	check(t, oci.WriteArchive(t.Context(), dir+"/a.tar", x, oci.LayoutOptions{}))
	for _, e := range []struct {
		name string
		mode os.FileMode
	}{
		{"layout", os.ModeDir | 0o755}, {"layout/blobs/sha256", os.ModeDir | 0o755}, {"layout/index.json", 0o644},
		{"layout/blobs/sha256/" + x.Digest.Hex(), 0o644}, {"a.tar", 0o644},
	} {
		info, err := os.Stat(filepath.Join(dir, e.name))
		check(t, err)
		if info.Mode() != e.mode {
			t.Errorf("%s has mode %v, want %v", e.name, info.Mode(), e.mode)
		}
	}
}

func TestArchiveRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	st := openStore(t)
	x := buildIndex(t, st, linuxAMD64, linuxARM64)
	err := oci.WriteDockerArchive(t.Context(), dir+"/d.tar", x, oci.DockerArchiveOptions{})
	if wantError(t, err, "the image has linux/amd64, linux/arm64, one of them must be chosen"); !errors.Is(err, oci.ErrPlatform) {
		t.Errorf("error %v is not ErrPlatform", err)
	}
	err = oci.WriteDockerArchive(t.Context(), dir+"/d.tar", x, oci.DockerArchiveOptions{Platform: linuxAMD64, Tags: []string{"A B"}})
	wantError(t, err, `tag "A B"`)
	wantError(t, oci.WriteArchive(t.Context(), dir, x, oci.LayoutOptions{}), "is not a regular file")
	wantError(t, oci.WriteArchive(t.Context(), dir+"/a.tar", x, oci.LayoutOptions{RefName: "a b"}), `reference name "a b"`)
	wantError(t, oci.WriteArchive(t.Context(), dir+"/no/a.tar", x, oci.LayoutOptions{}), "no such file or directory")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := oci.WriteArchive(ctx, dir+"/a.tar", x, oci.LayoutOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v is not context.Canceled", err)
	}
	if err := oci.WriteLayout(ctx, dir+"/layout", x, oci.LayoutOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v is not context.Canceled", err)
	}
	if left := names(t, dir); left != "" {
		t.Errorf("left behind: %s", left)
	}
}
