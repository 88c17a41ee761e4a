package generate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// paperconf is paperconf(1) of libpaper 2 without options: the name of the paper that
// the administrator has chosen, or else that of the locale, which is C.
func paperconf(_ context.Context, p *shell.Proc) (int, error) {
	if len(p.Args) > 1 {
		return 0, shell.Unsupported("paperconf %s", p.Args[1])
	}
	for _, v := range []string{"PAPERSIZE", "PAPERCONF", "XDG_CONFIG_HOME"} {
		if p.Getenv(v) != "" {
			return 0, shell.Unsupported("paperconf with %s in the environment", v)
		}
	}
	name := "a4"
	b, err := p.FS.ReadFile("/etc/papersize")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return p.Fail(err)
	}
	for line := range strings.Lines(string(b)) {
		line, _, _ = strings.Cut(line, "#")
		if words := strings.Fields(line); len(words) > 0 {
			name = strings.ToLower(words[0])
			break
		}
	}
	fmt.Fprintln(p.Stdout, name)
	return 0, nil
}
