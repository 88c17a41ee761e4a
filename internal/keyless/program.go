package keyless

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// ErrNoProgram is wrapped by the error about a machine without [Program].
var ErrNoProgram = errors.New("keyless signatures need the program " + Program + ", which is not here")

const (
	maxAnswer = 256 << 20 // bytes
	maxNoise  = 2000      // bytes of what the program says on its standard error
)

// secrets are variables that the program has no use for.
var secrets = []string{"HARDPAN_PASSWORD", "COSIGN_PASSWORD", tokenVariable, githubToken}

// find returns the path of the program: beside this one, or in PATH.
func find() (string, error) {
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), Program)
		if info, err := os.Stat(beside); err == nil && info.Mode().IsRegular() {
			return beside, nil
		}
	}
	path, err := exec.LookPath(Program)
	if err != nil {
		return "", hinted{ErrNoProgram, "put it beside hardpan or into PATH; make build and go install make both"}
	}
	return path, nil
}

// ask runs the program. The request, which may hold a token, goes through a pipe.
func ask(ctx context.Context, r Request) (*Response, error) {
	path, err := find()
	if err != nil {
		return nil, err
	}
	request, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains(secrets, name)
	})
	cmd.Stdin = bytes.NewReader(request)
	var out, noise bytes.Buffer
	cmd.Stdout, cmd.Stderr = &limited{&out, maxAnswer}, &limited{&noise, maxNoise}
	err = cmd.Run()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	var answer Response
	if broken := json.Unmarshal(out.Bytes(), &answer); err != nil || broken != nil {
		if err == nil {
			err = fmt.Errorf("its answer is not JSON: %w", broken)
		}
		return nil, fmt.Errorf("%s: %w: %s", path, err, oneLine(noise.String()))
	}
	if answer.Error != "" {
		return nil, hinted{errors.New(oneLine(answer.Error)), oneLine(answer.Hint)}
	}
	return &answer, nil
}

// limited keeps the first bytes of what is written.
type limited struct {
	to   io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.left)
	l.left -= n
	if _, err := l.to.Write(p[:n]); err != nil {
		return 0, err
	}
	return len(p), nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// redact takes a token out of an error, in which a server may have repeated it.
func redact(err error, token string) error {
	if token == "" || !strings.Contains(err.Error(), token) {
		return err
	}
	clean := errors.New(strings.ReplaceAll(err.Error(), token, "[token]"))
	if h, ok := errors.AsType[hinted](err); ok {
		return hinted{clean, strings.ReplaceAll(h.hint, token, "[token]")}
	}
	return clean
}
