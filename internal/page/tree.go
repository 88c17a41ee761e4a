package page

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/check/facts"
	"github.com/hardpan/hardpan/internal/inventory"
)

// fileTree is all paths of an image, in columns of the same length: a directory before
// what is in it, siblings by name. The script makes the tree of it.
type fileTree struct {
	Names  []string `json:"name"`
	Depth  []int    `json:"depth"` // 0 is the root
	Types  string   `json:"type"`  // a letter each, as ls(1) has them, and "h" for a hard link
	Mode   []uint32 `json:"mode"`
	Owner  []int    `json:"owner"` // index into Owners
	Size   []int64  `json:"size"`
	Origin []int    `json:"origin"` // index into Origins
	Layer  []int    `json:"layer"`

	Owners  []string       `json:"owners"`
	Origins []originShown  `json:"origins"`
	Links   map[int]string `json:"links"` // by row
	Caps    map[int]string `json:"caps"`  // by row
}

type originShown struct {
	Kind string `json:"kind"`
	Text string `json:"text"`
}

func newFileTree(inv *inventory.Inventory) *fileTree {
	t := &fileTree{Links: map[int]string{}, Caps: map[int]string{}, Owners: []string{}, Origins: []originShown{}}
	owners, origins := map[string]int{}, map[originShown]int{}
	var types strings.Builder
	for _, name := range unfolded(inv) {
		f := inv.Image.File(name)
		origin := originShown{"none", "what is in it: no layer has an entry of it"}
		if f == nil {
			f = &facts.File{Type: facts.Directory, Mode: 0o755, Layer: -1}
		} else {
			o := inv.Origin(f)
			origin = originShown{string(o.Kind), shown(clip(o.Text))}
		}
		row := len(t.Names)
		if f.Link != "" {
			t.Links[row] = shown(clip(f.Link))
		}
		if c := f.Capability.String(); c != "" {
			t.Caps[row] = c
		}
		size := f.Size
		if f.Type != facts.Regular {
			size = 0 // a hard link has no bytes of its own
		}
		depth, base := place(name)
		types.WriteString(typeLetter(f))
		t.Names, t.Depth, t.Mode = append(t.Names, shown(clip(base))), append(t.Depth, depth), append(t.Mode, f.Mode)
		t.Size, t.Layer = append(t.Size, size), append(t.Layer, f.Layer)
		t.Owner = append(t.Owner, indexOf(&t.Owners, owners, fmt.Sprintf("%d:%d", f.UID, f.GID)))
		t.Origin = append(t.Origin, indexOf(&t.Origins, origins, origin))
	}
	t.Types = types.String()
	return t
}

// unfolded returns all paths in the order of the tree, with directories that no layer
// has an entry of.
func unfolded(inv *inventory.Inventory) []string {
	paths := map[string]bool{".": true}
	var deep []string // put into the root: nobody unfolds them, and each would cost all its parents
	for f := range inv.Image.All() {
		if strings.Count(f.Path, "/") >= maxDepth {
			deep = append(deep, f.Path)
			continue
		}
		for at := f.Path; !paths[at]; {
			paths[at] = true
			up := strings.LastIndexByte(at, '/')
			if up < 0 {
				break
			}
			at = at[:up]
		}
	}
	delete(paths, ".")
	sorted := slices.SortedFunc(maps.Keys(paths), compareByName)
	return append(append([]string{"."}, sorted...), deep...)
}

// place returns how deep a path lies and its name there.
func place(name string) (depth int, base string) {
	if name == "." {
		return 0, "/"
	}
	if depth = strings.Count(name, "/") + 1; depth > maxDepth {
		return 1, name
	}
	return depth, name[strings.LastIndexByte(name, '/')+1:]
}

// maxDepth is how many directories above a path are shown as such.
const maxDepth = 64

// compareByName orders paths so that what is in a directory follows it at once.
func compareByName(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		switch {
		case a[i] == b[i]:
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return 1
		default:
			return int(a[i]) - int(b[i])
		}
	}
	return len(a) - len(b)
}

// indexOf returns the index of v in list, where it is put if it is new.
func indexOf[T comparable](list *[]T, index map[T]int, v T) int {
	i, ok := index[v]
	if !ok {
		i = len(*list)
		index[v] = i
		*list = append(*list, v)
	}
	return i
}

// pack makes text of the trees that has no character which means something in HTML.
func pack(trees []*fileTree) (string, error) {
	var b bytes.Buffer
	z, err := zlib.NewWriterLevel(&b, zlib.BestCompression)
	if err != nil {
		return "", err
	}
	if err := json.NewEncoder(z).Encode(trees); err != nil {
		return "", err
	}
	if err := z.Close(); err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(b.Bytes()), nil
}
