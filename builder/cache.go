package builder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hardpan/hardpan/internal/sandbox"
)

// CacheUsage is how much room a cache takes, in bytes.
type CacheUsage struct {
	Dir       string `json:"dir"`
	Blobs     int64  `json:"blobs"`     // packages, layers, documents
	Entries   int64  `json:"entries"`   // what is remembered about them
	Partial   int64  `json:"partial"`   // downloads that can be resumed, and leftovers
	Snapshots int64  `json:"snapshots"` // of build stages, as far as the caller may see them
}

// Total returns the sum.
func (u *CacheUsage) Total() int64 { return u.Blobs + u.Entries + u.Partial + u.Snapshots }

// The places in a cache.
const snapshotDir = "snapshots"

// UsageOf returns how much room the cache in dir takes. A cache that is not there takes none.
func UsageOf(dir string) (*CacheUsage, error) {
	u := &CacheUsage{Dir: dir}
	for sub, n := range map[string]*int64{"blobs": &u.Blobs, "keys": &u.Entries, "partial": &u.Partial, "tmp": &u.Partial, snapshotDir: &u.Snapshots} {
		err := filepath.WalkDir(filepath.Join(dir, sub), func(name string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
				return nil // removed meanwhile, or of an id that is not ours
			}
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			info, err := d.Info()
			if err == nil {
				*n += info.Size()
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("cannot look at cache: %w", err)
		}
	}
	return u, nil
}

// ClearCache removes what the cache in dir holds, or only the snapshots and caches of build
// stages. Builds that are under way lose what they have made; the next one makes it again.
func ClearCache(ctx context.Context, dir string, stages bool) error {
	at := filepath.Join(dir, snapshotDir)
	if _, err := os.Stat(at); err == nil {
		space, err := sandbox.Open(at)
		if err == nil {
			err = space.RemoveAll(ctx)
		}
		if err != nil {
			return fmt.Errorf("cannot clear cache: %w", err)
		}
	}
	if stages {
		return nil
	}
	for _, sub := range []string{"keys", "blobs", "partial", "tmp"} { // what is remembered first
		if err := os.RemoveAll(filepath.Join(dir, sub)); err != nil {
			return fmt.Errorf("cannot clear cache: %w", err)
		}
	}
	return nil
}
