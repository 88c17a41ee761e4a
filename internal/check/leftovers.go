package check

import (
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/check/facts"
	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/internal/harden/tool"
)

// What a source tree, an editor or a home directory leaves in an image when all of it
// is copied. The builder does not refuse these: packages ship some as examples.
var (
	sourceFiles       = strings.Fields("Dockerfile Containerfile docker-compose.yml docker-compose.yaml compose.yaml compose.yml .dockerignore .gitlab-ci.yml Vagrantfile Jenkinsfile .vimrc .DS_Store Thumbs.db .gitconfig")
	sourceDirectories = strings.Fields(".cache .aws .azure .gcp .git .github .vscode .idea .npm .terraform")
)

// leftovers is tools for leftovers, and asks for those of source trees too.
func leftovers(q *question) string {
	tools(q)
	for f := range q.All() {
		if f.Type == facts.Directory || slices.ContainsFunc(f.Tools, func(t tool.Tool) bool { return t.Kind == tool.Leftover }) && f.Size > 0 {
			continue
		}
		dir, base := path.Split(f.Path)
		dir = path.Base(dir)
		message := ""
		switch {
		case strings.Contains(f.Path, "node_modules/") || strings.Contains(f.Path, "vendor/"):
		case slices.Contains(sourceFiles, base):
			message = "it belongs to a source tree, and nothing that runs reads it"
		case slices.Contains(sourceDirectories, dir):
			message = "it lies in a directory of tools for developers, " + dir
		}
		if message == "" {
			continue
		}
		severity := q.rule.Severity
		if q.Shipped(f) || f.Size == 0 {
			severity = harden.Info
		}
		q.foundAs(severity, at(f, message, base))
	}
	return applies
}
