package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// An entry is a file with the digest of its body on the first line and the JSON
// body after it, so that a damaged entry is noticed like a damaged blob.

func (s *Store) entryPath(kind, key string) string {
	name := DigestOf([]byte(kind + "\x00" + key)).Hex()
	return filepath.Join(s.notes, "keys", kind, name)
}

// Get decodes the entry of that kind and key into v and reports whether there is
// one. A damaged entry is removed and reported as absent: it will be made again.
func (s *Store) Get(kind, key string, v any) bool {
	path := s.entryPath(kind, key)
	b, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	head, body, ok := bytes.Cut(b, []byte{'\n'})
	if !ok || Digest(head) != DigestOf(body) || json.Unmarshal(body, v) != nil {
		os.Remove(path)
		return false
	}
	return true
}

// Set stores v, as JSON, as the entry of that kind and key. kind is a short path
// element such as "layer"; key is any text.
func (s *Store) Set(kind, key string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("cannot encode cache entry: %w", err)
	}
	f, err := os.CreateTemp(filepath.Join(s.dir, "tmp"), "key-*")
	if err != nil {
		return fmt.Errorf("cannot write to cache: %w", err)
	}
	// Not synced: after a power failure a torn entry has a wrong digest and is made
	// again, and a build writes two for every package.
	if _, err = fmt.Fprintf(f, "%s\n%s", DigestOf(body), body); err == nil {
		err = moveTo(f, s.entryPath(kind, key))
	} else {
		err = fmt.Errorf("cannot write to cache: %w", err)
	}
	if err != nil {
		f.Close()
		os.Remove(f.Name())
	}
	return err
}
