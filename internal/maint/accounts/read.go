package accounts

import (
	"errors"
	"io/fs"

	"github.com/hardpan/hardpan/internal/tree"
)

// Read returns the accounts of an image, from its /etc/passwd, group, shadow and
// gshadow, as far as it has them.
func Read(t *tree.Tree) (*File, error) {
	var texts [4][]byte
	for i, name := range []string{"etc/passwd", "etc/group", "etc/shadow", "etc/gshadow"} {
		b, err := t.ReadFile(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		texts[i] = b
	}
	return Parse(texts[0], texts[1], texts[2], texts[3])
}
