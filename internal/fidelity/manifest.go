//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// The types of paths.
const (
	file    = "file"
	dir     = "dir"
	link    = "link"
	device  = "device" // Target says which, as "c 1:3"
	fifo    = "fifo"
	sockets = "socket"
)

// entry is one path of a tree, with all that is compared of it and what helps
// to explain a difference.
type entry struct {
	Type   string `json:"t"`
	Mode   uint32 `json:"m"` // permission, set-id and sticky bits; 0 for links
	UID    int    `json:"u"`
	GID    int    `json:"g"`
	Target string `json:"l,omitempty"` // of a symbolic link
	Group  string `json:"h,omitempty"` // first path of the hard links that share an inode
	Size   int64  `json:"s,omitempty"`
	SHA256 string `json:"d,omitempty"` // of a file, hex
	Caps   string `json:"c,omitempty"` // security.capability, hex

	Owners []string `json:"o,omitempty"` // packages that ship the path, by dpkg's lists
	By     []string `json:"b,omitempty"` // scripts that ran when the path was changed last, as "package postinst"
	Text   string   `json:"x,omitempty"` // content of a small text file, where no package's archive has it
}

// String returns what is compared.
func (e entry) String() string {
	owner := fmt.Sprintf("%d:%d", e.UID, e.GID)
	switch e.Type {
	case link:
		return fmt.Sprintf("link %s -> %s", owner, e.Target)
	case file:
		s := fmt.Sprintf("file %04o %s %d bytes %.12s", e.Mode, owner, e.Size, e.SHA256)
		if e.Caps != "" {
			s += " capabilities " + e.Caps
		}
		if e.Group != "" {
			s += " linked with " + e.Group
		}
		return s
	}
	return strings.TrimSpace(fmt.Sprintf("%s %04o %s %s", e.Type, e.Mode, owner, e.Target))
}

// manifest is a tree as text: every path, without a leading slash, and what it is.
type manifest struct {
	Paths    map[string]entry    `json:"paths"`
	Scripts  []string            `json:"scripts,omitempty"`  // that ran, in order, as "package postinst"
	Gone     map[string][]string `json:"gone,omitempty"`     // paths that packages ship and that are not there, with the packages
	Packages []string            `json:"packages,omitempty"` // installed, as "name version architecture", sorted
	Failure  string              `json:"failure,omitempty"`  // why dpkg could not make the tree
}

// linkGroups fills Group from what says which paths share an inode.
func (m *manifest) linkGroups(inode map[string]string) {
	shared := map[string][]string{}
	for p, id := range inode {
		shared[id] = append(shared[id], p)
	}
	for _, paths := range shared {
		if len(paths) < 2 {
			continue
		}
		slices.Sort(paths)
		for _, p := range paths {
			e := m.Paths[p]
			e.Group = paths[0]
			m.Paths[p] = e
		}
	}
}

// writeJSON writes a value to a file, compressed, whole or not at all.
func writeJSON(name string, v any) error {
	plain, err := json.Marshal(v)
	if err != nil {
		return err
	}
	z, err := zstd.NewWriter(nil)
	if err != nil {
		return err
	}
	return writeWhole(name, z.EncodeAll(plain, nil))
}

func writeWhole(name string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), ".tmp-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if _, err := tmp.Write(b); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Chmod(0o644); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), name)
}

// readJSON reads what writeJSON wrote.
func readJSON(name string, v any) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	z, err := zstd.NewReader(nil)
	if err != nil {
		return err
	}
	defer z.Close()
	plain, err := z.DecodeAll(b, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := json.Unmarshal(plain, v); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
