package sandbox

import (
	"context"
	"os"
	"path/filepath"
)

// RemoveAll removes every snapshot that was made with the ids of this space, those of
// other processes that are at work too. For a cache that is cleared.
func (s *Space) RemoveAll(ctx context.Context) error {
	entries, err := os.ReadDir(filepath.Join(s.dir, s.ids.name()))
	if err != nil {
		return err
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if len(names) == 0 {
		return nil
	}
	return s.call(ctx, &request{Verb: verbSweep, Names: names}, nil, nil)
}
