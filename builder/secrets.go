package builder

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

// secretsDir is where a stage's commands find their secrets, as with BuildKit.
const secretsDir = "/run/secrets"

// secret is the value of one of a stage's secrets.
type secret struct {
	id    string
	value []byte
}

// secrets reads the values of the stage's secrets from the caller's environment and
// files.
func (r *stageRun) secrets() ([]secret, error) {
	var list []secret
	for i, s := range r.stage.Secrets {
		var value []byte
		var err error
		if s.Env != "" {
			v, ok := os.LookupEnv(s.Env)
			if !ok {
				err = fmt.Errorf("secret %s: the environment has no variable %s", s.ID, s.Env)
			}
			value = []byte(v)
		} else if value, err = os.ReadFile(s.File); err != nil {
			err = fmt.Errorf("secret %s: %w", s.ID, err)
		}
		if err == nil && len(bytes.TrimSpace(value)) < minSecret {
			err = fmt.Errorf("secret %s has %d bytes, expected at least %d: nobody could tell whether it got out", s.ID, len(bytes.TrimSpace(value)), minSecret)
		}
		if err != nil {
			return nil, r.b.specError([]any{"stages", r.index, "secrets", i}, err)
		}
		list = append(list, secret{s.ID, value})
	}
	return list, nil
}

// minSecret is the length, in bytes, below which finding a secret's bytes in a file
// says nothing.
const minSecret = 4

// leaks refuses a step that wrote a secret into a file that is kept.
func (r *stageRun) leaks(ctx context.Context, l link, on []string, secrets []secret) error {
	if len(secrets) == 0 {
		return nil
	}
	for _, dir := range r.stage.Caches {
		err := r.space.ExportCache(ctx, r.cache(dir), func(h *tar.Header, content io.Reader) error {
			return findSecret(path.Join(dir[1:], h.Name), content, secrets)
		})
		if err != nil {
			// What found its way there would be seen by every later build.
			return errors.Join(err, r.space.RemoveCaches(context.WithoutCancel(ctx), r.cache(dir)))
		}
	}
	changes, err := r.space.Changes(ctx, l.key)
	if err != nil {
		return err
	}
	var paths []string
	for _, c := range changes {
		if err := findSecret(c.Path, strings.NewReader(c.Path+"\n"+c.Link), secrets); err != nil {
			return err
		}
		if !c.Removed && c.Type == 0 {
			paths = append(paths, c.Path)
		}
	}
	if len(paths) == 0 {
		return nil
	}
	return r.space.Export(ctx, append(on, l.key), paths, func(h *tar.Header, content io.Reader) error {
		return findSecret(h.Name, content, secrets)
	})
}

// findSecret returns an error where a secret is among the bytes of a file.
func findSecret(name string, content io.Reader, secrets []secret) error {
	longest := 0
	for _, s := range secrets {
		longest = max(longest, len(s.value))
	}
	window := make([]byte, 0, 256<<10+longest)
	for {
		n, err := content.Read(window[len(window):cap(window)])
		window = window[:len(window)+n]
		for _, s := range secrets {
			if bytes.Contains(window, bytes.TrimSpace(s.value)) {
				return &stepError{
					text: fmt.Sprintf("wrote secret %s into /%s, which is kept", s.id, name),
					hint: "remove the file in the same command, or keep it in " + secretsDir,
				}
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if keep := min(longest, len(window)); len(window) > cap(window)/2 {
			copy(window, window[len(window)-keep:])
			window = window[:keep]
		}
	}
}
