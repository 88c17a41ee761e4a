package dpkg

import (
	"cmp"
	"hash/fnv"
	"slices"
	"strings"
)

// The files of dpkg's database that a [Dpkg] has the content of.
const (
	DiversionsPath = "var/lib/dpkg/diversions"
	OverridesPath  = "var/lib/dpkg/statoverride"
)

// buckets is the size of the hash table in which dpkg keeps paths, and in whose
// order it lists and writes them (lib/dpkg/fsys-hash.c).
const buckets = 262139

func bucket(name string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(strings.TrimLeft(name, "/"))) // never fails
	return h.Sum32() % buckets
}

// Files returns the content of those files of dpkg's database, by path, that
// dpkg-divert and dpkg-statoverride would have written, byte for byte. The names of
// users are those that the scripts gave.
func (d *Dpkg) Files() map[string][]byte {
	files := map[string][]byte{}
	if d.diverted {
		var b strings.Builder
		for _, v := range d.listed() {
			b.WriteString(v.From + "\n" + v.To + "\n" + cmp.Or(v.Package, ":") + "\n")
		}
		files[DiversionsPath] = []byte(b.String())
	}
	if d.overridden {
		var b strings.Builder
		for _, o := range d.Overrides() {
			b.WriteString(o.line(o.User, o.Group))
		}
		files[OverridesPath] = []byte(b.String())
	}
	return files
}

// listed returns the diversions in dpkg's order.
func (d *Dpkg) listed() []Diversion {
	return slices.SortedStableFunc(slices.Values(d.diversions), func(a, b Diversion) int {
		return cmp.Compare(bucket(a.From), bucket(b.From))
	})
}
