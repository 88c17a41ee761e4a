package maint

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// python is python3(1), as far as scripts call it to compile their modules. Byte
// code is not made: it is no part of a package, and has the time of its source.
func python(_ context.Context, p *shell.Proc) (int, error) {
	compiles := slices.ContainsFunc(p.Args[1:], func(a string) bool {
		return slices.Contains([]string{"py_compile.py", "compileall.py", "py_compile", "compileall"}, path.Base(a))
	})
	if compiles {
		return 0, nil
	}
	if len(p.Args) == 2 && (p.Args[1] == "-V" || p.Args[1] == "--version") {
		version := strings.TrimPrefix(path.Base(p.Args[0]), "python")
		_, err := p.Stdout.Write([]byte("Python " + version + "\n"))
		return 0, err
	}
	return 0, shell.Unsupported("running %s, python code,", strings.Join(p.Args, " "))
}

// perl is perl(1), as far as scripts ask whether it works: perl -e "".
func perl(_ context.Context, p *shell.Proc) (int, error) {
	if len(p.Args) == 3 && p.Args[1] == "-e" && strings.Trim(p.Args[2], " ;0123456789") == "" {
		return 0, nil
	}
	return 0, shell.Unsupported("running %s, perl code,", strings.Join(p.Args, " "))
}

// languageCommands returns perl, and Python under all its names.
func languageCommands() map[string]shell.Command {
	commands := map[string]shell.Command{"perl": perl}
	for _, name := range []string{"python", "python2", "python2.7", "python3", "pypy", "pypy3"} {
		commands[name] = python
	}
	for minor := 8; minor < 30; minor++ {
		commands[fmt.Sprintf("python3.%d", minor)] = python
	}
	return commands
}
