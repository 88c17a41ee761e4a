package tool

import (
	"bytes"
	"io"
	"path"
	"slices"
	"strings"
)

// Tool is one thing that a file is.
type Tool struct {
	Kind Kind   `json:"kind"`
	Name string `json:"name"` // what it is known as: "bash", "busybox", "apt package lists"
	By   By     `json:"by"`
}

// By says how a tool was found.
type By string

// The ways to find a tool.
const (
	ByName    By = "name"    // a program of that name
	ByContent By = "content" // a program with that in it, whatever its name
	ByPath    By = "path"    // a file where such files lie
	ByLink    By = "link"    // a link that makes a program of many commands this one
)

// String says a tool for a person: "busybox, a shell by its content".
func (t Tool) String() string { return t.Name + ", by its " + string(t.By) }

// executable are the bits of which one lets a file be run.
const executable = 0o111

// Identify says what the file at name is, a clean path without a leading slash, whose
// permission bits are mode and whose content s has read to the end; nil if it is
// nothing of interest. A kind is in the answer once. Scripts in /etc bear the names of
// the services that they start, and not their own.
func Identify(name string, mode uint32, s *Sniffer) []Tool {
	var tools []Tool
	add := func(name string, by By, kinds ...Kind) {
		for _, kind := range kinds {
			if !slices.ContainsFunc(tools, func(t Tool) bool { return t.Kind == kind }) {
				tools = append(tools, Tool{Kind: kind, Name: name, By: by})
			}
		}
	}
	if what, kind := placed(name, s.head); kind != "" {
		add(what, ByPath, kind)
	}
	elf := s.elf
	if elf == unread {
		elf = readKind(s.head)
	}
	runs := runs(elf, name, mode)
	script := mode&executable != 0 && bytes.HasPrefix(s.head, []byte("#!")) && !strings.HasPrefix(name, "etc/")
	if !runs && !script {
		return tools
	}
	plain, kinds := named(name)
	if runs {
		for _, signature := range s.signed() {
			what := signature.name
			if slices.ContainsFunc(kinds, func(k Kind) bool { return slices.Contains(signature.kinds, k) }) && !manyCommands(what) {
				what = plain
			}
			add(what, ByContent, signature.kinds...)
		}
	}
	add(plain, ByName, kinds...)
	return tools
}

// manyCommands reports whether a tool is whatever command it is called as.
func manyCommands(name string) bool { return name == "busybox" || name == "toybox" }

// isLibrary reports whether the name is that of a shared library.
func isLibrary(name string) bool {
	base := path.Base(name)
	return strings.HasSuffix(base, ".so") || strings.Contains(base, ".so.")
}

// Read is Identify for a file that is read here.
func Read(name string, mode uint32, r io.Reader) ([]Tool, error) {
	var s Sniffer
	if _, err := io.Copy(&s, r); err != nil {
		return nil, err
	}
	return Identify(name, mode, &s), nil
}

// Applet says what a symbolic or hard link named name makes of a program that is
// target: of one with many commands, the command of that name; of any other, the
// program itself, if that is of interest or the link has a tool's name.
func Applet(name string, target []Tool) []Tool {
	plain, kinds := named(name)
	if len(target) > 0 && !slices.ContainsFunc(target, func(t Tool) bool { return manyCommands(t.Name) }) {
		return target
	}
	var tools []Tool
	for _, kind := range kinds {
		tools = append(tools, Tool{Kind: kind, Name: plain, By: ByLink})
	}
	return tools
}
