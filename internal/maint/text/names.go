package text

import (
	"context"
	"path"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// basename is basename(1).
func basename(_ context.Context, p *shell.Proc) (int, error) {
	opts, names, err := options(p, "+as:z", "multiple=a suffix:=s zero=z")
	if err != nil {
		return 1, err
	}
	f := flags(opts)
	suffix, end := "", "\n"
	for _, o := range opts {
		if o.name == "s" {
			suffix = o.value
		}
	}
	if f["z"] {
		end = "\x00"
	}
	switch {
	case len(names) == 0:
		return p.Errorf("missing operand")
	case f["a"] || f["s"]:
	case len(names) > 2:
		return p.Errorf("extra operand '%s'", names[2])
	case len(names) == 2:
		suffix, names = names[1], names[:1]
	}
	w := buffered(p)
	for _, name := range names {
		base := lastName(name)
		if base != suffix {
			base = strings.TrimSuffix(base, suffix)
		}
		w.WriteString(base + end)
	}
	return finish(w, 0)
}

// lastName returns the last part of a path, without slashes at its end.
func lastName(name string) string {
	trimmed := strings.TrimRight(name, "/")
	if trimmed == "" && name != "" {
		return "/"
	}
	return trimmed[strings.LastIndexByte(trimmed, '/')+1:]
}

// dirname is dirname(1).
func dirname(_ context.Context, p *shell.Proc) (int, error) {
	opts, names, err := options(p, "z", "zero=z")
	if err != nil {
		return 1, err
	}
	if len(names) == 0 {
		return p.Errorf("missing operand")
	}
	end := "\n"
	if len(opts) > 0 {
		end = "\x00"
	}
	w := buffered(p)
	for _, name := range names {
		w.WriteString(directory(name) + end)
	}
	return finish(w, 0)
}

// directory returns a path without its last part.
func directory(name string) string {
	trimmed := strings.TrimRight(name, "/")
	if trimmed == "" {
		if name == "" {
			return "."
		}
		return "/"
	}
	i := strings.LastIndexByte(trimmed, '/')
	if i < 0 {
		return "."
	}
	if dir := strings.TrimRight(trimmed[:i], "/"); dir != "" {
		return dir
	}
	return "/"
}

// which is which(1) of debianutils.
func which(_ context.Context, p *shell.Proc) (int, error) {
	opts, names, err := options(p, "+as", "")
	if err != nil {
		return 2, err
	}
	f := flags(opts)
	status := 0
	if len(names) == 0 {
		status = 1
	}
	w := buffered(p)
	for _, name := range names {
		found := p.Look(name)
		if found == "" {
			status = 1
			continue
		}
		if f["s"] {
			continue
		}
		w.WriteString(found + "\n")
		if f["a"] && !strings.Contains(name, "/") {
			for _, dir := range strings.Split(p.Getenv("PATH"), ":") {
				if again := path.Join(dir, name); again != found && p.Look(again) != "" {
					w.WriteString(again + "\n")
				}
			}
		}
	}
	return finish(w, status)
}
