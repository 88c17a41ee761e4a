package builder

import (
	"context"
	"fmt"

	"github.com/hardpan/hardpan/internal/debian/archive"
	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/store"
)

// fetch brings the packages into the store.
func (b *build) fetch(ctx context.Context, packages []*lock.Package) error {
	var items []archive.Item
	for _, p := range packages {
		digest, err := store.FromHex(p.SHA256)
		if err != nil {
			return err
		}
		repo, err := b.repository(p.Archive)
		if err != nil {
			return err
		}
		if size, ok := b.store.Stat(digest); !ok || size != p.Size {
			items = append(items, archive.Item{Repository: repo, Path: p.Path, Size: p.Size, Digest: digest})
		}
	}
	if len(items) == 0 {
		return nil
	}
	client, err := b.client()
	if err != nil {
		return err
	}
	return client.Fetch(ctx, items, b.o.Progress)
}

// repository returns the archive of that id in the lock.
func (b *build) repository(id string) (archive.Repository, error) {
	for _, a := range b.lock.Archives {
		if a.ID == id {
			return archive.Repository{ID: a.ID, URI: a.URI, Suite: a.Suite}, nil
		}
	}
	return archive.Repository{}, fmt.Errorf("the lock has no archive %q", id)
}
