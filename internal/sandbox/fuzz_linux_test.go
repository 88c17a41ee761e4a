package sandbox

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// FuzzUnpack: whatever a layer says, nothing outside the root changes, and all
// inside can be taken away again. It runs the extractor in this process, which as a
// child is alone with the snapshots.
func FuzzUnpack(f *testing.F) {
	for _, text := range []string{
		"dir a 755\nfile a/b 644 x\nhard c a/b\nlink d a\nfile d/e 4755 y\nfifo p 600",
		"link out ..\nfile out/canary 644 x\nlink abs /\nfile abs/../canary 644 x",
		"file a/.wh.x 644\nfile a/.wh..wh..opq 644\nfile .wh... 644",
		"link a a\nfile a/b 644\nhard h a/../../canary\nchar dev/x",
		"dir . 700\nfile \"\" 644",
	} {
		r, err := layer(text).Open()
		if err != nil {
			f.Fatal(err)
		}
		b, _ := io.ReadAll(r)
		f.Add(b, true)
		f.Add(b, false)
	}
	dir := f.TempDir()
	canary := filepath.Join(dir, "canary")
	if err := os.WriteFile(canary, []byte("sings"), 0o600); err != nil {
		f.Fatal(err)
	}
	top, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte, layer bool) {
		if len(data) > 64<<10 {
			return
		}
		if err := os.Mkdir(filepath.Join(dir, "root"), 0o755); err != nil {
			t.Fatal(err)
		}
		root, err := unix.Openat(top, "root", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		x := newExtractor(root, &request{IDs: idsOne, Count: 1}, layer)
		x.left = 1 << 20
		_ = x.extract(bytes.NewReader(data)) // an error is a good answer
		x.forget()
		unix.Close(root)
		if err := removeTree(top, "root"); err != nil {
			t.Error(err)
		}
		b, err := os.ReadFile(canary)
		st, _ := os.Stat(canary)
		if err != nil || string(b) != "sings" || st.Mode() != 0o600 {
			t.Errorf("the canary: %q, %v, %v", b, st, err)
		}
		if names, _ := filepath.Glob(filepath.Join(dir, "*")); len(names) != 1 {
			t.Errorf("the directory holds %v", names)
		}
	})
}

// FuzzStream: a stream of parts is what was written, and one that is cut off, or that
// nobody wrote, is an error and never a whole part.
func FuzzStream(f *testing.F) {
	f.Add([]byte("\x03\x00\x00\x00abc\x00\x00\x00\x00"), 3)
	f.Add([]byte("\xff\xff\xff\xffabc"), 0)
	f.Fuzz(func(t *testing.T, data []byte, cut int) {
		if b, err := io.ReadAll(&partReader{r: bytes.NewReader(data)}); err == nil && len(b) > len(data)-4 {
			t.Errorf("%d bytes out of %d", len(b), len(data))
		} else if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Error(err)
		}
		var s strings.Builder
		w := partWriter{&s}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := w.end(); err != nil {
			t.Fatal(err)
		}
		whole := s.String()
		if b, err := io.ReadAll(&partReader{r: strings.NewReader(whole)}); err != nil || !bytes.Equal(b, data) {
			t.Errorf("read %q, %v", b, err)
		}
		if cut >= 0 && cut < len(whole) {
			if _, err := io.ReadAll(&partReader{r: strings.NewReader(whole[:cut])}); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("cut at %d: %v", cut, err)
			}
		}
	})
}
