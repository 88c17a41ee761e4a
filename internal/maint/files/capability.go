package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

const setcapUsage = "usage: setcap [-h] [-q] [-v] [-n <rootid>] (-r|-|<caps>) <filename> [ ... (-r|-|<capsN>) <filenameN> ]\n\n"

const effectiveNote = "NOTE: Under Linux, effective file capabilities must either be empty, or\n      exactly match the union of selected permitted and inheritable bits.\n"

// setcap is setcap(8).
func setcap(_ context.Context, p *shell.Proc) (int, error) {
	args := p.Args[1:]
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' && args[0] != "-r" {
		if args[0] != "-q" { // which quietens what -v says
			return 0, shell.Unsupported("setcap: option %s", args[0])
		}
		args = args[1:]
	}
	for first := true; first || len(args) > 0; first = false {
		if len(args) < 2 {
			_, err := io.WriteString(p.Stderr, setcapUsage)
			return 1, err
		}
		ok, err := setCapability(p, args[0], args[1])
		if !ok || err != nil {
			return 1, err
		}
		args = args[2:]
	}
	return 0, nil
}

// setCapability gives one file a capability, and says whether it could.
func setCapability(p *shell.Proc, text, file string) (ok bool, err error) {
	if text == "-" {
		fmt.Fprintln(p.Stderr, "Please enter caps for file [empty line to end]:")
		b, err := io.ReadAll(io.LimitReader(p.Stdin, 4096))
		if err != nil {
			return false, err
		}
		text = string(b)
	}
	var c tree.Capability
	if text != "-r" {
		c, err = tree.ParseCapability(text)
		if errors.Is(err, tree.ErrEffective) {
			_, err := fmt.Fprintf(p.Stderr, effectiveNote+"Invalid file '%s' for capability operation\n", file)
			return false, err
		}
		if err != nil {
			_, err := fmt.Fprint(p.Stderr, "fatal error: Invalid argument\n", setcapUsage)
			return false, err
		}
	}
	n, err := p.FS.Lstat(p.Path(file))
	switch {
	case err != nil:
		_, err = fmt.Fprintf(p.Stderr, "Failed to set capabilities on file '%s': %s\n", file, reason(err))
		return false, err
	case n.Type == tree.Dir || n.Type == tree.Symlink:
		_, err = fmt.Fprintf(p.Stderr, "Invalid file '%s' for capability operation\n", file)
		return false, err
	case c == "" && n.Capability == "":
		_, err = fmt.Fprintf(p.Stderr, "File '%s' has no capablity to remove\n", file) // so it is spelt
		return false, err
	}
	if err := p.FS.SetCapability(p.Path(file), c); err != nil {
		_, err = fmt.Fprintf(p.Stderr, "Failed to set capabilities on file '%s': %s\n", file, reason(err))
		return false, err
	}
	return true, nil
}

// getcap is getcap(8).
func getcap(_ context.Context, p *shell.Proc) (int, error) {
	g := &getcapCall{Proc: p}
	args := p.Args[1:]
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch args[0] {
		case "-r":
			g.below = true
		case "-v":
			g.verbose = true
		default:
			return 0, shell.Unsupported("getcap: option %s", args[0])
		}
		args = args[1:]
	}
	if len(args) == 0 {
		_, err := io.WriteString(p.Stderr, "usage: getcap [-h] [-l] [-n] [-r] [-v] <filename> [<filename> ...]\n\n\tdisplays the capabilities on the queried file(s).\n")
		return 1, err
	}
	for _, name := range args {
		if err := g.print(name); err != nil {
			return 1, err
		}
	}
	return 0, nil
}

type getcapCall struct {
	*shell.Proc
	below, verbose bool
}

func (g *getcapCall) print(name string) error {
	n, err := g.FS.Lstat(g.Path(name))
	switch {
	case err != nil:
		_, err = fmt.Fprintf(g.Stderr, "%s (%s)\n", name, reason(err))
		return err
	case n.Type == tree.Dir && g.below:
		names, err := g.FS.ReadDir(g.Path(name))
		if err != nil {
			return err
		}
		for _, entry := range names {
			if err := g.print(name + "/" + entry); err != nil {
				return err
			}
		}
		return nil
	case n.Type == tree.Dir || n.Type == tree.Symlink:
		if g.verbose {
			_, err = fmt.Fprintf(g.Stderr, "%s (Not a regular file)\n", name)
		}
		return err
	case n.Capability != "":
		_, err = fmt.Fprintf(g.Stdout, "%s %s\n", name, n.Capability)
	case g.verbose:
		_, err = fmt.Fprintln(g.Stdout, name)
	}
	return err
}
