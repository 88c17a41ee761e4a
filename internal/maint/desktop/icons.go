package desktop

import (
	"context"
	"encoding/binary"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/getopt"
	"github.com/hardpan/hardpan/internal/maint/glib"
	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

const iconCache = "icon-theme.cache"

// updateIconCache is gtk-update-icon-cache(1), without pixels in the cache. It does
// not ask whether the cache is newer than the icons: what it makes is the same.
func updateIconCache(_ context.Context, c *getopt.Call) (int, error) {
	if c.Has("include-image-data") || c.Has("source") || c.Has("validate") {
		return 0, shell.Unsupported("%s", strings.Join(c.Args, " "))
	}
	if len(c.Args) < 2 {
		return 0, nil
	}
	if len(c.Operands) == 0 {
		return c.Errorf("No theme index file.")
	}
	dir := c.Path(c.Operands[0])
	if n, err := c.FS.Stat(dir + "/index.theme"); !c.Has("ignore-theme-index") && (err != nil || n.Type != tree.File) {
		return c.Errorf("No theme index file.")
	}
	s := &iconScan{fs: c.FS, base: dir}
	if err := s.directory("", 0); err != nil {
		return 0, err
	}
	cache := dir + "/" + iconCache
	if err := c.FS.Remove(cache); err != nil && c.FS.Exists(cache) {
		return c.Fail(err)
	}
	if s.icons.Len() == 0 {
		return 0, nil
	}
	inputs(c.Proc, dir)
	if err := c.FS.WriteFile(cache, s.file(), 0o644&^c.Umask); err != nil {
		return c.Fail(err)
	}
	if !c.Has("quiet") {
		_, _ = c.Errorf("Cache file created successfully.")
	}
	return 0, nil
}

// inputs names what the present command makes its files of.
func inputs(p *shell.Proc, names ...string) {
	if p.FS.Origin == nil {
		return
	}
	o := *p.FS.Origin
	o.Inputs = names
	p.FS.Origin = &o
}

// iconScan collects the icons of a theme (scan_directory of GTK's updateiconcache.c).
type iconScan struct {
	fs          *rootfs.FS
	base        string
	icons       glib.HashTable[[]icon] // by name; of the directory that was read last first
	directories []string
}

// icon is an image file, or several that differ in their suffix, in one directory.
type icon struct {
	directory int
	flags     uint16
}

// iconFlags are the suffixes of images, as the cache has them.
var iconFlags = map[string]uint16{".xpm": 1, ".svg": 2, ".png": 4, ".icon": 8}

const (
	maxIconDepth = 64 // of directories, which links may make endless
)

// directory reads one directory below the theme's, and those in it.
func (s *iconScan) directory(sub string, depth int) error {
	at := path.Join(s.base, sub)
	names, err := s.fs.ReadDir(at)
	if err != nil {
		return nil
	}
	if depth > maxIconDepth {
		return shell.Unsupported("an icon theme with directories nested more than %d deep", maxIconDepth)
	}
	var here glib.HashTable[*icon]
	index := -1
	for _, name := range names {
		n, err := s.fs.Stat(at + "/" + name)
		if err != nil {
			continue
		}
		if n.Type == tree.Dir {
			if err := s.directory(path.Join(sub, name), depth+1); err != nil {
				return err
			}
			continue
		}
		dot := strings.LastIndexByte(name, '.')
		if sub == "" || n.Type != tree.File || dot < 0 || iconFlags[name[dot:]] == 0 {
			continue
		}
		if name[dot:] == ".icon" {
			return shell.Unsupported("the icon data of %s/%s", at, name)
		}
		i, ok := here.Get(name[:dot])
		if !ok {
			if index < 0 {
				index = len(s.directories)
				s.directories = append(s.directories, sub)
			}
			i = &icon{directory: index}
			here.Set(name[:dot], i)
		}
		i.flags |= iconFlags[name[dot:]]
	}
	for name, i := range here.All() {
		list, _ := s.icons.Get(name)
		s.icons.Set(name, append([]icon{*i}, list...))
	}
	return nil
}

// iconPrimes are the sizes that the table of names may have (GLib's gprimes.c).
var iconPrimes = []int{
	11, 19, 37, 73, 109, 163, 251, 367, 557, 823, 1237, 1861, 2777, 4177, 6247, 9371, 14057, 21089, 31627, 47431, 71143,
	106721, 160073, 240101, 360163, 540217, 810343, 1215497, 1823231, 2734867, 4102283, 6153409, 9230113, 13845163,
}

// iconHash is icon_name_hash.
func iconHash(s string) uint32 {
	if s == "" {
		return 0
	}
	h := uint32(int8(s[0]))
	for i := 1; i < len(s); i++ {
		h = h<<5 - h + uint32(int8(s[i]))
	}
	return h
}

const none = 1<<32 - 1

// file returns the cache (docs/icon-cache.txt of GTK): a table of the names, each
// with its images, and the list of directories.
func (s *iconScan) file() []byte {
	size := iconPrimes[len(iconPrimes)-1]
	for _, prime := range iconPrimes {
		if prime > s.icons.Len()/3 {
			size = prime
			break
		}
	}
	buckets := make([][]string, size)
	for name := range s.icons.All() {
		h := iconHash(name) % uint32(size)
		buckets[h] = append([]string{name}, buckets[h]...)
	}
	b := []byte{0, 1, 0, 0, 0, 0, 0, 12, 0, 0, 0, 0} // version 1.0, where the table is and where the directories are
	b = card32(b, uint32(size))
	table := len(b)
	b = append(b, slices.Repeat([]byte{255}, 4*size)...)
	known := map[string]int{}
	for i, names := range buckets {
		if len(names) > 0 {
			binary.BigEndian.PutUint32(b[table+4*i:], uint32(len(b)))
		}
		for j, name := range names {
			start := len(b)
			b = card32(b, none) // the next one
			known[name] = start + 12
			b = card32(b, uint32(start+12))
			b = card32(b, uint32(start+12+len(padded(name))))
			b = append(b, padded(name)...)
			images, _ := s.icons.Get(name)
			b = card32(b, uint32(len(images)))
			for _, i := range images {
				b = binary.BigEndian.AppendUint16(b, uint16(i.directory))
				b = binary.BigEndian.AppendUint16(b, i.flags)
				b = card32(b, 0) // no pixels
			}
			if j < len(names)-1 {
				binary.BigEndian.PutUint32(b[start:], uint32(len(b)))
			}
		}
	}
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)))
	return s.list(b, known)
}

// list appends the list of directories. What is the name of an icon too is not
// written again.
func (s *iconScan) list(b []byte, known map[string]int) []byte {
	b = card32(b, uint32(len(s.directories)))
	at := len(b) + 4*len(s.directories)
	var text []byte
	for _, dir := range s.directories {
		if _, ok := known[dir]; !ok {
			known[dir] = at + len(text)
			text = append(text, padded(dir)...)
		}
		b = card32(b, uint32(known[dir]))
	}
	return append(b, text...)
}

func card32(b []byte, n uint32) []byte { return binary.BigEndian.AppendUint32(b, n) }

// padded is a string with zeros behind it, up to words of four bytes.
func padded(s string) []byte { return append([]byte(s), make([]byte, 4-len(s)%4)...) }
