package tree

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

// Type is the type of a node.
type Type uint8

// The types that an image may hold. Device nodes, sockets and named pipes have
// no place in one.
const (
	File Type = iota
	Dir
	Symlink
	Hardlink // another name of a file of the same package; Link is that file's path
)

func (t Type) String() string { return [...]string{"file", "dir", "symlink", "hardlink"}[t] }

// Mode bits beyond the nine of permission, as in a tar header (POSIX ustar).
const (
	SetUID = 0o4000
	SetGID = 0o2000
	Sticky = 0o1000
)

// Content opens the bytes of a file.
type Content interface {
	Open() (io.ReadCloser, error)
}

// Bytes is content that is held in memory.
type Bytes []byte

// Open returns a reader of b.
func (b Bytes) Open() (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(string(b))), nil
}

// Node is one path of the tree.
type Node struct {
	Path    string
	Type    Type
	Mode    uint32 // permission bits with SetUID, SetGID and Sticky
	UID     uint32
	GID     uint32
	ModTime int64  // seconds since 1970
	Size    int64  // bytes; of a File
	Link    string // target of a Symlink as written, path of a Hardlink's file
	SHA256  string // of the content, 64 hex digits; of a File
	ELF     *ELF   // of a File that is one
	// Capability is what a File lets its program do, see [ParseCapability].
	Capability Capability
	// Interpreter is the program that runs an executable script which a package
	// ships: a path, or a name where env(1) looks for it.
	Interpreter string
	Content     Content
	Origin      *Origin

	// Layered says that the node's bytes are in the layer of its package and
	// must not be written again.
	Layered bool
}

// FileMode returns the mode as [io/fs] has it.
func (n *Node) FileMode() fs.FileMode {
	m := fs.FileMode(n.Mode & 0o777)
	if n.Mode&SetUID != 0 {
		m |= fs.ModeSetuid
	}
	if n.Mode&SetGID != 0 {
		m |= fs.ModeSetgid
	}
	if n.Mode&Sticky != 0 {
		m |= fs.ModeSticky
	}
	switch n.Type {
	case Dir:
		m |= fs.ModeDir
	case Symlink:
		m |= fs.ModeSymlink
	}
	return m
}

// Origin says where a path comes from. One Origin is shared by the paths that
// have the same.
type Origin struct {
	Kind OriginKind `json:"kind"`

	Package string `json:"package,omitempty"` // of a package or script
	Version string `json:"version,omitempty"`
	SHA256  string `json:"sha256,omitempty"` // of the package's file

	Script  string   `json:"script,omitempty"`  // "postinst", ...
	Command string   `json:"command,omitempty"` // the command of the script, or the rule of the builder
	Inputs  []string `json:"inputs,omitempty"`  // paths that the content was made from, or globs of them

	Stage string `json:"stage,omitempty"` // of a path that was copied out of one
	Step  int    `json:"step,omitempty"`  // number of the stage's command that wrote it, from 1; Command has its text

	Spec string `json:"spec,omitempty"` // "file:line" of the spec's line

	// Base is the digest of the layer of a base image that the path is in. The rest is
	// then what that image says of it: its record, or of a package its database.
	Base string `json:"base,omitempty"`
}

// OriginKind is the kind of an origin.
type OriginKind string

// The kinds of origin (DESIGN.md, invariant 1).
const (
	FromPackage OriginKind = "package" // shipped in a package
	FromScript  OriginKind = "script"  // effect of a maintainer script
	FromSpec    OriginKind = "spec"    // a line of the spec
	FromBuilder OriginKind = "builder" // made by hardpan for every image
	FromStage   OriginKind = "stage"   // copied out of a build stage
	FromBase    OriginKind = "base"    // in a layer of a base image, which does not say whence
)

// String says the origin in one line, for a person.
func (o *Origin) String() string {
	var b strings.Builder
	if o.Base != "" {
		b.WriteString("base image, layer " + shortDigest(o.Base))
		if o.Kind == FromBase {
			if o.Package != "" {
				b.WriteString(", package " + o.Package + " " + o.Version + " by its database")
			}
			return b.String()
		}
		b.WriteString(": ")
	}
	switch o.Kind {
	case FromPackage:
		b.WriteString("package " + o.Package + " " + o.Version)
	case FromScript:
		b.WriteString("package " + o.Package + " " + o.Version + ", " + o.Script)
		if o.Command != "" {
			b.WriteString(", " + o.Command)
		}
	case FromStage:
		b.WriteString("stage " + o.Stage)
		switch {
		case o.Step > 0:
			fmt.Fprintf(&b, ", step %d: %s", o.Step, oneLine(o.Command))
		case o.Package != "":
			b.WriteString(", package " + o.Package + " " + o.Version)
		case o.Command != "":
			b.WriteString(", " + o.Command)
		}
		b.WriteString(", spec " + o.Spec)
	case FromSpec:
		b.WriteString("spec " + o.Spec)
	default:
		b.WriteString("hardpan")
		if o.Command != "" {
			b.WriteString(", " + o.Command)
		}
		if o.Spec != "" {
			b.WriteString(", spec " + o.Spec)
		}
	}
	if len(o.Inputs) > 0 {
		b.WriteString(", from " + strings.Join(summary(o.Inputs), ", "))
	}
	return b.String()
}

// shortDigest returns enough of a digest for a person to tell it from others.
func shortDigest(d string) string { return d[:min(len(d), len("sha256:")+12)] }

// oneLine returns the first line of a command, and says where there are more.
func oneLine(command string) string {
	first, rest, _ := strings.Cut(strings.TrimSpace(command), "\n")
	if rest != "" {
		return first + " ..."
	}
	return first
}

// maxInputs is how many inputs [Origin.String] names one by one.
const maxInputs = 6

// summary returns inputs for a person: where they are many, directories with how many
// of them are there.
func summary(inputs []string) []string {
	if len(inputs) <= maxInputs {
		return inputs
	}
	var dirs []string
	in := map[string][]string{}
	for _, name := range inputs {
		dir := path.Dir(name)
		if in[dir] == nil {
			dirs = append(dirs, dir)
		}
		in[dir] = append(in[dir], name)
	}
	var list []string
	for _, dir := range dirs {
		if len(in[dir]) == 1 {
			list = append(list, in[dir][0])
		} else {
			list = append(list, fmt.Sprintf("%d files of %s", len(in[dir]), dir))
		}
	}
	return list
}
