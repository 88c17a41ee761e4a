//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// textDiffs returns, by path, a unified diff from hardpan's text to dpkg's for
// the files whose content differs, where both are text or missing.
func textDiffs(found []difference, image *layout, ours, theirs *manifest) (map[string]string, error) {
	var paths []string
	for _, d := range found {
		if o, t := ours.Paths[d.Path], theirs.Paths[d.Path]; o.SHA256 != t.SHA256 && (t.Text != "" || t.Size == 0) && (o.Type == file || t.Type == file) {
			paths = append(paths, d.Path)
		}
	}
	texts, err := image.texts(paths)
	if err != nil {
		return nil, err
	}
	diffs := map[string]string{}
	for _, p := range paths {
		ours, ok := texts[p]
		if !ok && theirs.Paths[p].Text == "" {
			continue
		}
		if diffs[p], err = unified(ours, theirs.Paths[p].Text); err != nil {
			return nil, err
		}
	}
	return diffs, nil
}

// unified returns what diff(1) says.
func unified(ours, theirs string) (string, error) {
	dir, err := os.MkdirTemp("", "fidelity-diff-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	for name, text := range map[string]string{"hardpan": ours, "dpkg": theirs} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	cmd := exec.Command("diff", "-u", "--label", "hardpan", "--label", "dpkg", "hardpan", "dpkg")
	cmd.Dir = dir
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == 1 {
		return string(out), nil // the two differ
	}
	if err != nil {
		return "", fmt.Errorf("diff: %w", err)
	}
	return string(out), nil
}
