package sandbox

import (
	"archive/tar"
	"testing"
)

// TestSync: after the machine was started anew, a snapshot is there that was made
// durable before, and one that was not is made again.
func TestSync(t *testing.T) {
	dir := t.TempDir()
	open := func(boot string) *Space {
		s, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		s.boot = boot
		return s
	}
	add := func(s *Space, key, content string) {
		err := s.Add(t.Context(), key, nil, func(w *tar.Writer) error { return put(w, tree("file f 644 "+content)) })
		if err != nil {
			t.Fatal(err)
		}
	}
	first := open("first")
	t.Cleanup(func() { clean(t, first) })
	add(first, "durable", "old")
	if err := first.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if first.unsynced.Load() {
		t.Error("there is something left to sync")
	}
	add(first, "volatile", "old")

	second := open("second")
	if !second.Has("durable") || second.Has("volatile") {
		t.Errorf("durable: %t, volatile: %t", second.Has("durable"), second.Has("volatile"))
	}
	add(second, "durable", "new")
	add(second, "volatile", "new")
	if err := second.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := dump(t, open("third"), []string{"durable"}, "/f") + dump(t, open("third"), []string{"volatile"}, "/f"); got != "file f 644 old\nfile f 644 new\n" {
		t.Errorf("got %s", got)
	}
}
