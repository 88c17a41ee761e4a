package files

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// copyBlocks is one call of dd(1).
type copyBlocks struct {
	in, out                   string
	ibs, obs                  int64
	count, skip, seek         int64 // blocks; count is -1 for all
	truncates, quiet, noCount bool
}

// dd is dd(1), for files of the tree and its streams.
func dd(_ context.Context, p *shell.Proc) (int, error) {
	c := copyBlocks{ibs: 512, obs: 512, count: -1, truncates: true}
	for _, arg := range p.Args[1:] {
		if err := c.operand(arg); err != nil {
			if _, ok := err.(*shell.UnsupportedError); ok {
				return 0, err
			}
			return p.Errorf("%v", err)
		}
	}
	in, err := c.read(p)
	if err != nil {
		if why := reason(err); why != "" {
			return p.Errorf("failed to open '%s': %s", c.in, why)
		}
		return 1, err
	}
	if err := c.write(p, in); err != nil {
		if why := reason(err); why != "" {
			return p.Errorf("failed to open '%s': %s", c.out, why)
		}
		return 1, err
	}
	if !c.quiet {
		n := int64(len(in))
		fmt.Fprintf(p.Stderr, "%d+%d records in\n%d+%d records out\n", n/c.ibs, min(1, n%c.ibs), n/c.obs, min(1, n%c.obs))
		if !c.noCount {
			fmt.Fprintf(p.Stderr, "%d bytes copied\n", n)
		}
	}
	return 0, nil
}

func (c *copyBlocks) operand(arg string) error {
	name, value, ok := strings.Cut(arg, "=")
	if !ok {
		return fmt.Errorf("unrecognized operand '%s'", arg)
	}
	number := func(to ...*int64) error {
		n := int64(1)
		for part := range strings.SplitSeq(value, "x") {
			v, ok := parseSize(part)
			if !ok || v > 1<<40 {
				return fmt.Errorf("invalid number: '%s'", value)
			}
			n *= v
		}
		for _, t := range to {
			*t = n
		}
		return nil
	}
	switch name {
	case "if":
		c.in = value
	case "of":
		c.out = value
	case "bs":
		return number(&c.ibs, &c.obs)
	case "ibs":
		return number(&c.ibs)
	case "obs":
		return number(&c.obs)
	case "count":
		return number(&c.count)
	case "skip", "iseek":
		return number(&c.skip)
	case "seek", "oseek":
		return number(&c.seek)
	case "status":
		c.quiet, c.noCount = value == "none", value == "noxfer"
	case "conv":
		for word := range strings.SplitSeq(value, ",") {
			switch word {
			case "notrunc":
				c.truncates = false
			case "fsync", "fdatasync", "noerror":
			default:
				return shell.Unsupported("dd: conv=%s", word)
			}
		}
	default:
		return shell.Unsupported("dd: %s=", name)
	}
	if c.ibs <= 0 || c.obs <= 0 {
		return fmt.Errorf("invalid number: '%s'", value)
	}
	return nil
}

// read returns what is copied.
func (c *copyBlocks) read(p *shell.Proc) ([]byte, error) {
	limit := int64(maxTruncate) + 1
	if c.count >= 0 && c.count <= limit/c.ibs {
		limit = c.count * c.ibs
	}
	var r io.Reader = p.Stdin
	switch {
	case c.in == "/dev/zero":
		if limit > maxTruncate {
			return nil, shell.Unsupported("dd: more than %d MB", maxTruncate>>20)
		}
		r = zeros{}
	case c.in != "":
		var err error
		if r, err = p.Open(c.in); err != nil {
			return nil, err
		}
	}
	if c.skip > 0 && c.in != "/dev/zero" {
		if _, err := io.CopyN(io.Discard, r, c.skip*c.ibs); err != nil && err != io.EOF {
			return nil, err
		}
	}
	b, err := io.ReadAll(io.LimitReader(r, limit))
	if err == nil && len(b) > maxTruncate {
		return nil, shell.Unsupported("dd: more than %d MB", maxTruncate>>20)
	}
	return b, err
}

// zeros is /dev/zero.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// write brings the bytes to where they go.
func (c *copyBlocks) write(p *shell.Proc, b []byte) error {
	j := newJob(p)
	w := io.Writer(p.Stdout)
	if c.out != "" {
		w = j.deviceWriter(c.out)
	}
	if w != nil {
		_, err := w.Write(b)
		return err
	}
	old, err := p.FS.ReadFile(p.Path(c.out))
	if err != nil && !missingFile(err) {
		return err
	}
	at := c.seek * c.obs
	if at > maxTruncate {
		return shell.Unsupported("dd: more than %d MB", maxTruncate>>20)
	}
	whole := append([]byte(nil), old[:min(at, int64(len(old)))]...)
	whole = append(whole, make([]byte, max(0, at-int64(len(whole))))...)
	whole = append(whole, b...)
	if !c.truncates && len(old) > len(whole) {
		whole = append(whole, old[len(whole):]...)
	}
	return p.FS.WriteFile(p.Path(c.out), whole, 0o666&^p.Umask)
}
