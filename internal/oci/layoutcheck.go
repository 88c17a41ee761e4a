package oci

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
		return checkLayoutDir(dir)
	}
	if to, e := os.Readlink(dir); e == nil && errors.Is(err, fs.ErrNotExist) {
		return withHint(fmt.Errorf("it is a symbolic link to %s, which does not exist", to), "make that directory, or remove the link")
	}
	return err
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
