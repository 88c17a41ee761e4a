package rootfs_test

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/tree"
)

// TestSeal has a file that stands for a random key: it is there for everything but
// reading.
func TestSeal(t *testing.T) {
	f := newFS(t)
	for _, err := range []error{
		f.Seal("/key", 0o600), f.Chown("/key", 5, 6, true), f.Chmod("/key", 0o640), f.Copy("/key", "/copy", 0o600), f.Rename("/copy", "/a/moved"),
		f.Symlink("key", "/link"), f.Link("/key", "/second"), f.Seal("/gone", 0o600), f.Remove("/gone"), f.Seal("/plain", 0o600), f.WriteFile("/plain", []byte("x"), 0),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	if n, err := f.Stat("/key"); err != nil || n.Size == 0 || n.Mode != 0o640 || n.UID != 5 {
		t.Errorf("/key is %+v, %v", n, err)
	}
	if got, want := f.Sealed(), []string{"/a/moved", "/key", "/second"}; !slices.Equal(got, want) {
		t.Errorf("sealed are %v, want %v", got, want)
	}
	if !f.IsSealed("/link") || f.IsSealed("/plain") || f.IsSealed("/none") {
		t.Error("what is sealed is not known")
	}
	if err := f.Unsealed(); err != nil {
		t.Errorf("before any reading: %v", err)
	}
	for _, read := range []func(string) error{
		func(name string) error { _, err := f.ReadFile(name); return err },
		func(name string) error { _, err := f.Open(name); return err },
		func(name string) error { _, err := f.Append(name, 0); return err },
	} {
		if err := read("/a/moved"); !isSealed(err) {
			t.Errorf("reading gives %v", err)
		}
	}
	if err := f.Unsealed(); err == nil || !strings.Contains(err.Error(), "/a/moved") {
		t.Errorf("after reading: %v", err)
	}
}

// TestSealOpen has what is random among what is known, in one file.
func TestSealOpen(t *testing.T) {
	f := rootfs.New(tree.New(nil, 0), 0)
	w, err := f.Create("/key", 0o600)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	write("# known\n")
	if err := w.Seal(); err != nil || !f.IsSealed("/key") {
		t.Fatalf("%v, sealed: %v", err, f.IsSealed("/key"))
	}
	write("# known\n")
	if err := w.Close(); err != nil || !f.IsSealed("/key") {
		t.Fatalf("closed: %v, sealed: %v", err, f.IsSealed("/key"))
	}
	if _, err := f.Append("/key", 0); !isSealed(err) || f.Unsealed() == nil {
		t.Errorf("appending to it: %v", err)
	}
	if err := f.WriteFile("/key", []byte("x"), 0); err != nil || f.IsSealed("/key") {
		t.Errorf("writing it anew: %v, sealed: %v", err, f.IsSealed("/key"))
	}
	if b, err := f.ReadFile("/key"); err != nil || string(b) != "x" {
		t.Errorf("reads %q, %v", b, err)
	}
}

func isSealed(err error) bool { _, ok := errors.AsType[*rootfs.SealedError](err); return ok }

// TestUser has what a user who is not root may do (path_resolution(7)). The files
// are 0755 root:root a, 02775 root:50 a/b, 0644 7:0 c.
func TestUser(t *testing.T) {
	for _, tt := range []struct {
		user rootfs.User
		do   func(*rootfs.FS) error
		want syscall.Errno
	}{
		{rootfs.User{UID: 7}, func(f *rootfs.FS) error { return f.WriteFile("/c", nil, 0) }, 0},
		{rootfs.User{UID: 8}, func(f *rootfs.FS) error { return f.WriteFile("/c", nil, 0) }, syscall.EACCES},
		{rootfs.User{UID: 8}, func(f *rootfs.FS) error { return f.WriteFile("/a/new", nil, 0o644) }, syscall.EACCES},
		{rootfs.User{UID: 8, GID: 50}, func(f *rootfs.FS) error { return f.WriteFile("/a/b/new", nil, 0o644) }, 0},
		{rootfs.User{UID: 8, GID: 8, Groups: []uint32{50}}, func(f *rootfs.FS) error { return f.Mkdir("/a/b/new", 0o755) }, 0},
		{rootfs.User{UID: 8, GID: 8}, func(f *rootfs.FS) error { return f.Mkdir("/a/b/new", 0o755) }, syscall.EACCES},
		{rootfs.User{UID: 7}, func(f *rootfs.FS) error { return f.Chmod("/c", 0o600) }, 0},
		{rootfs.User{UID: 8}, func(f *rootfs.FS) error { return f.Chmod("/c", 0o600) }, syscall.EPERM},
		{rootfs.User{UID: 7}, func(f *rootfs.FS) error { return f.Chown("/c", 8, rootfs.Owner, true) }, syscall.EPERM},
		{rootfs.User{UID: 7}, func(f *rootfs.FS) error { return f.Remove("/c") }, syscall.EACCES},
		{rootfs.User{UID: 7}, func(f *rootfs.FS) error { return f.RemoveAll("/a/b") }, syscall.EACCES},
		{rootfs.User{UID: 7}, func(f *rootfs.FS) error { return f.Rename("/c", "/a/c") }, syscall.EACCES},
		{rootfs.User{UID: 7}, func(f *rootfs.FS) error { _, err := f.ReadFile("/closed"); return err }, syscall.EACCES},
		{rootfs.User{UID: 7}, func(f *rootfs.FS) error { return f.Remove("/sticky/mine") }, 0},
		{rootfs.User{UID: 7}, func(f *rootfs.FS) error { return f.Remove("/sticky/theirs") }, syscall.EACCES},
	} {
		f := newFS(t)
		for _, err := range []error{
			f.WriteFile("/closed", []byte("x"), 0o600), f.Mkdir("/sticky", 0o777|tree.Sticky), f.Chmod("/sticky", 0o777|tree.Sticky),
			f.WriteFile("/sticky/mine", nil, 0o644), f.Chown("/sticky/mine", 7, 7, true), f.WriteFile("/sticky/theirs", nil, 0o644),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		f.User = tt.user
		err := tt.do(f)
		if no, _ := errors.AsType[syscall.Errno](err); no != tt.want || (err == nil) != (tt.want == 0) {
			t.Errorf("user %+v: %v, want %v", tt.user, err, tt.want)
		}
	}
	f := newFS(t)
	f.User = rootfs.User{UID: 7, GID: 50}
	if err := f.WriteFile("/a/b/new", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if n, err := f.Stat("/a/b/new"); err != nil || n.UID != 7 || n.GID != 50 {
		t.Errorf("made is %+v, %v", n, err)
	}
}
