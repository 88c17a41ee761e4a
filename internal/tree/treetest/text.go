package treetest

import (
	"debug/elf"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/tree"
)

// Origin is the origin of the paths of the trees that this package makes.
var Origin = &tree.Origin{Kind: tree.FromPackage, Package: "fixture", Version: "1"}

var implied = &tree.Origin{Kind: tree.FromBuilder, Command: "implied"}

// New returns the tree that text lists. See the package's documentation.
func New(tb testing.TB, text string) *tree.Tree {
	tb.Helper()
	t := tree.New(implied, 0)
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		n, err := parse(strings.TrimSpace(line))
		if err == nil {
			err = t.Add(n)
		}
		if err != nil {
			tb.Fatalf("tree line %q: %v", strings.TrimSpace(line), err)
		}
	}
	return t
}

func parse(line string) (*tree.Node, error) {
	name, rest, _ := strings.Cut(line, " ")
	kind, rest, _ := strings.Cut(strings.TrimSpace(rest), " ")
	rest = strings.TrimSpace(rest)
	n := &tree.Node{Path: tree.Clean(name), Origin: Origin}
	switch kind {
	case "dir":
		n.Type, n.Mode = tree.Dir, 0o755
		mode(n, rest)
	case "symlink":
		n.Type, n.Mode, n.Link = tree.Symlink, 0o777, rest
	case "hardlink":
		n.Type, n.Mode, n.Link = tree.Hardlink, 0o755, tree.Clean(rest)
	case "file":
		n.Type, n.Mode = tree.File, 0o644
		text, err := strconv.Unquote(mode(n, rest))
		if err != nil {
			return nil, fmt.Errorf("content is not a quoted string: %w", err)
		}
		n.Content, n.Size = tree.Bytes(text), int64(len(text))
	case "elf":
		n.Type, n.Mode = tree.File, 0o755
		e, err := parseELF(mode(n, rest))
		if err != nil {
			return nil, err
		}
		b := EncodeELF(e)
		n.ELF, n.Content, n.Size = e, tree.Bytes(b), int64(len(b))
	default:
		return nil, fmt.Errorf("unknown type %q", kind)
	}
	return n, nil
}

// mode takes an octal mode off the start of rest.
func mode(n *tree.Node, rest string) string {
	word, after, _ := strings.Cut(rest, " ")
	if m, err := strconv.ParseUint(word, 8, 12); err == nil && len(word) == 4 {
		n.Mode = uint32(m)
		return strings.TrimSpace(after)
	}
	return rest
}

var machines = map[string]tree.ELF{
	"amd64":   {Class: 64, Machine: uint16(elf.EM_X86_64)},
	"x32":     {Class: 32, Machine: uint16(elf.EM_X86_64)},
	"i386":    {Class: 32, Machine: uint16(elf.EM_386)},
	"arm64":   {Class: 64, Machine: uint16(elf.EM_AARCH64)},
	"armhf":   {Class: 32, Machine: uint16(elf.EM_ARM), Flags: 0x05000400},
	"armel":   {Class: 32, Machine: uint16(elf.EM_ARM), Flags: 0x05000200},
	"ppc64el": {Class: 64, Machine: uint16(elf.EM_PPC64), Flags: 2},
	"riscv64": {Class: 64, Machine: uint16(elf.EM_RISCV), Flags: 5},
	"s390x":   {Class: 64, Machine: uint16(elf.EM_S390), BigEndian: true},
}

func parseELF(text string) (*tree.ELF, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return nil, fmt.Errorf("no architecture")
	}
	e, ok := machines[words[0]]
	if !ok {
		return nil, fmt.Errorf("unknown architecture %q", words[0])
	}
	e.Type, e.Dynamic = uint16(elf.ET_DYN), true
	for _, word := range words[1:] {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "exec":
			e.Type = uint16(elf.ET_EXEC)
		case "static":
			e.Type, e.Dynamic = uint16(elf.ET_EXEC), false
		case "interp":
			e.Interp = value
		case "soname":
			e.Soname = value
		case "needed":
			e.Needed = strings.Split(value, ",")
		case "rpath":
			e.RPath = strings.Split(value, ":")
		case "runpath":
			e.RunPath = strings.Split(value, ":")
		case "nodeflib":
			e.Flags1 |= uint32(elf.DF_1_NODEFLIB)
		case "isa":
			bits, err := strconv.ParseUint(value, 0, 32)
			if err != nil {
				return nil, err
			}
			e.ISA1 = uint32(bits)
		default:
			return nil, fmt.Errorf("unknown word %q", word)
		}
	}
	return &e, nil
}

// Dump returns the tree as text, a path a line in order, without the root.
func Dump(t *tree.Tree) string {
	var b strings.Builder
	for n := range t.All() {
		if n.Path == "." {
			continue
		}
		fmt.Fprintf(&b, "/%s %s %04o", n.Path, n.Type, n.Mode)
		if n.Link != "" {
			b.WriteString(" " + n.Link)
		}
		if n.Origin == implied {
			b.WriteString(" implied")
		}
		b.WriteByte('\n')
	}
	return b.String()
}
