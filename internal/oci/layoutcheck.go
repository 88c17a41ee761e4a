package oci

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// CheckLayout reports, without writing, a name that [WriteLayout] would refuse.
func CheckLayout(dir string) error {
	if err := checkTarget(filepath.Clean(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot write OCI layout %s: %w", dir, err)
	}
	return nil
}

// checkTarget reports a name that no layout can have; the error is [fs.ErrNotExist] where
// nothing has it.
func checkTarget(dir string) error {
	_, err := os.Stat(dir)
	if err == nil {
		if err = checkLayoutDir(dir); err == nil {
			err = checkOneImage(dir)
		}
		return err
	}
	if to, e := os.Readlink(dir); e == nil && errors.Is(err, fs.ErrNotExist) {
		return withHint(fmt.Errorf("it is a symbolic link to %s, which does not exist", to), "make that directory, or remove the link")
	}
	return err
}

// checkOneImage reports a layout that somebody keeps several images in, each under its
// name: all but the new one would be removed.
func checkOneImage(dir string) error {
	raw, err := os.ReadFile(filepath.Join(dir, indexFile))
	if err != nil {
		return nil // there are none
	}
	_, doc, err := parseDocument(raw, "")
	if err != nil || doc == nil {
		return nil // it is replaced
	}
	names := map[string]bool{}
	for _, d := range doc.Manifests {
		if name := d.Annotations[annotationRefName]; name != "" && !isArtifact(d) && !strings.HasPrefix(name, "sha256-") {
			names[name] = true
		}
	}
	if len(names) < 2 {
		return nil
	}
	return withHint(fmt.Errorf("it has %d images, %s, which would be removed", len(names), strings.Join(slices.Sorted(maps.Keys(names)), ", ")),
		"name a directory for this image alone")
}

// checkLayoutDir reports a directory that is neither empty nor a layout.
func checkLayoutDir(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == layoutFile {
			b, err := os.ReadFile(filepath.Join(dir, layoutFile))
			if err != nil {
				return err
			}
			return checkLayoutFile(b)
		}
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), partialMark) {
			return withHint(fmt.Errorf("%w: it has %s but no %s", ErrNotLayout, e.Name(), layoutFile),
				"name a directory that is empty or does not exist")
		}
	}
	return nil
}

func checkLayoutFile(b []byte) error {
	var doc struct {
		Version string `json:"imageLayoutVersion"`
	}
	if err := decode(b, &doc); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrNotLayout, layoutFile, err)
	}
	if doc.Version != "1.0.0" {
		return fmt.Errorf("%w: %s says version %.20q, expected 1.0.0", ErrNotLayout, layoutFile, doc.Version)
	}
	return nil
}
