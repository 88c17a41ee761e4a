package generate

import (
	"context"
	_ "embed"
	"path"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// graphvizPlugins is what the plugins of graphviz 2.42.4 say of themselves: after a
// heading the entry of each, in the order of their files, as the program writes it.
//
//go:embed graphviz.txt
var graphvizPlugins string

// graphvizVersion is the version that the list is for.
const graphvizVersion = "2.42.4-"

// updateGraphviz is libgvc6-config-update(8) with -c, which lists the plugins of
// graphviz that are there.
func (c Config) updateGraphviz(_ context.Context, p *shell.Proc) (int, error) {
	if len(p.Args) != 2 || p.Args[1] != "-c" {
		return 0, shell.Unsupported("%s", strings.Join(p.Args, " "))
	}
	if !strings.HasPrefix(c.Graphviz, graphvizVersion) {
		return 0, shell.Unsupported("libgvc6-config-update of graphviz %s", c.Graphviz)
	}
	dir := ""
	dirs, _ := p.FS.ReadDir("/usr/lib")
	for _, d := range dirs {
		if p.FS.IsDir("/usr/lib/" + d + "/graphviz") {
			if dir != "" {
				return 0, shell.Unsupported("graphviz for two architectures")
			}
			dir = "/usr/lib/" + d + "/graphviz"
		}
	}
	names, _ := p.FS.ReadDir(dir)
	there := map[string]bool{}
	for _, name := range names {
		if strings.HasPrefix(name, "libgvplugin_") && strings.HasSuffix(name, ".so.6") {
			there[name] = true
		}
	}
	var text strings.Builder
	var inputs []string
	written := true // the heading
	for line := range strings.Lines(graphvizPlugins) {
		if strings.HasPrefix(line, "libgvplugin_") {
			name, _, _ := strings.Cut(line, " ")
			if written = there[name]; written {
				inputs = append(inputs, path.Join(dir, name))
				delete(there, name)
			}
		}
		if written {
			text.WriteString(line)
		}
	}
	for _, name := range names {
		if there[name] {
			return 0, shell.Unsupported("the plugin %s of graphviz", name)
		}
	}
	if len(inputs) == 0 {
		return 0, shell.Unsupported("graphviz without plugins")
	}
	from(p, inputs...)
	if err := p.FS.WriteFile(dir+"/config6a", []byte(text.String()), 0o644); err != nil {
		return fail(p, err)
	}
	return 0, nil
}
