package specs

import (
	"fmt"
	"maps"
	slashpath "path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// maxParents is how long a chain of extends may be.
const maxParents = 16

// origin is where a loaded spec comes from.
type origin struct {
	file      string
	merged    *node               // the base with its parents, vars not yet substituted
	overlays  map[string]overlays // of each variant, the outermost parent's first
	chain     []chainFile         // the spec's file and its parents'
	options   LoadOptions
	positions map[string]Position
	sources   map[string]sourceFile
}

// overlays are the layers of one variant.
type overlays []overlayLayer

type overlayLayer struct {
	pos  Position // of the variant's name
	node *node
}

// Load reads the spec file at path: it follows extends, merges, substitutes vars,
// applies defaults and validates the spec and each of its variants. Its error is
// an [Errors] with everything that is wrong; one whose file is missing also is
// [io/fs.ErrNotExist].
func Load(path string) (*Spec, error) { return LoadOptions{}.Load(path) }

// Load is [Load] with options.
func (options LoadOptions) Load(path string) (*Spec, error) {
	var p problems
	o := &origin{file: path, overlays: map[string]overlays{}, options: options}
	o.merged = p.readChain(path, o)
	if o.merged == nil {
		return nil, p.err()
	}
	base := p.build(o, "")
	suffixes := map[string]string{base.TagSuffix: "the base"}
	for _, name := range slices.Sorted(maps.Keys(o.overlays)) {
		layers := o.overlays[name]
		at := layers[len(layers)-1].pos
		if !p.checkFormat(formats["variant"], name, at, "variants") {
			continue
		}
		before := len(p.list)
		v := p.build(o, name)
		if len(p.list) > before {
			continue
		}
		if other, taken := suffixes[v.TagSuffix]; taken {
			p.add(at, "", "variants.%s: tag suffix %q is that of %s, too", name, v.TagSuffix, other)
		}
		suffixes[v.TagSuffix] = "variant " + name
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	return base, nil
}

// readChain reads the spec at path and its parents, and returns them merged. It
// collects the files and the variants into o. It returns nil where a file of the chain
// cannot be read, so that what is missing then is not reported as missing.
func (p *problems) readChain(path string, o *origin) *node {
	var chain []*node
	over := o.overlays
	t := documentType
	var parent *node
	name := filepath.Base(path)
	for seen := []string{}; ; {
		seen = append(seen, filepath.Clean(path))
		text, root := p.readDocument(path, parent)
		if root == nil {
			return nil
		}
		chain = append(chain, root)
		o.chain = append(o.chain, chainFile{path, name, text})
		parent = root.get("extends")
		if parent == nil {
			break
		}
		relative, ok := p.text(parent, "extends")
		if !ok || !p.checkParent(relative, parent.pos) {
			return nil
		}
		path = filepath.Join(filepath.Dir(path), filepath.FromSlash(relative))
		if !o.options.allows(path) {
			p.add(parent.pos, "", "extends: %s is outside of what may be read", quote(relative))
			return nil
		}
		name = slashpath.Join(slashpath.Dir(name), relative)
		if slices.Contains(seen, path) {
			p.add(parent.pos, "", "extends: %s extends itself: %s", quote(relative), strings.Join(append(seen, path), " -> "))
			return nil
		}
		if len(seen) > maxParents {
			p.add(parent.pos, "", "extends: more than %d parents", maxParents)
			return nil
		}
	}
	var merged *node
	for _, root := range slices.Backward(chain) {
		if variants := root.get("variants"); variants != nil {
			for _, e := range variants.entries {
				over[e.key] = append(over[e.key], overlayLayer{e.pos, e.value})
			}
		}
		root.entries = slices.DeleteFunc(root.entries, func(e entry) bool { return e.key == "variants" || e.key == "extends" })
		merged = p.merge(merged, root, t, nil, "")
	}
	return merged
}

func (p *problems) checkParent(name string, pos Position) bool {
	switch {
	case name == "" || filepath.IsAbs(name):
		p.add(pos, "", "extends: found %s, expected a path relative to this file", quote(name))
	case strings.Contains(name, "${"):
		p.add(pos, "", "extends: found %s, expected a path without variables", quote(name))
	default:
		return p.checkFormat(formats[""], name, pos, "extends")
	}
	return false
}

// readDocument reads one file and checks its shape. child is the value of extends
// that names the file, or nil.
func (p *problems) readDocument(path string, child *node) ([]byte, *node) {
	b := readFile(path, child, p)
	if b == nil {
		return nil, nil
	}
	root := parse(path, b, p)
	if root == nil || !p.fits(root, documentType, "") {
		return nil, nil
	}
	return b, root
}

// build makes the spec of the variant, "" being the base, out of the merged trees.
func (p *problems) build(o *origin, variant string) *Spec {
	root := o.merged
	for _, over := range o.overlays[variant] {
		root = p.merge(root, over.node, documentType, nil, "")
	}
	vars := root.get("vars")
	undefined := p
	if vars == nil && root.damaged || vars != nil && vars.damaged {
		undefined = &problems{} // the name may be in what was refused
	}
	root = (&substituter{p.readVars(vars), undefined}).tree(root)
	own := &origin{file: o.file, merged: o.merged, chain: o.chain, options: o.options, positions: map[string]Position{}, sources: map[string]sourceFile{}}
	if variant == "" {
		own.overlays = o.overlays
	}
	s := &Spec{variant: variant, origin: own}
	d := &decoder{problems: p, dir: filepath.Dir(o.file), options: o.options, positions: own.positions, sources: own.sources,
		unsound: map[string]bool{}}
	d.value(root, reflect.ValueOf(s).Elem(), nil, "")
	s.setDefaults()
	if variant != "" && !slices.ContainsFunc(o.overlays[variant], func(o overlayLayer) bool { return o.node.get("tag-suffix") != nil }) {
		s.TagSuffix += "-" + variant
	}
	v := validator{problems: p, s: s, root: root, unsound: d.unsound}
	v.validate()
	return s
}

// VariantNames returns the names of the spec's variants, sorted.
func (s *Spec) VariantNames() []string { return slices.Sorted(maps.Keys(s.from().overlays)) }

// VariantName returns the name of the variant that s is, or "" for a base.
func (s *Spec) VariantName() string { return s.variant }

// Variant returns the spec of the named variant, complete as Load's; "" is the
// spec itself.
func (s *Spec) Variant(name string) (*Spec, error) {
	if name == "" {
		return s, nil
	}
	if _, ok := s.from().overlays[name]; !ok {
		hint := "the spec has no variants"
		if names := s.VariantNames(); len(names) > 0 {
			hint = "its variants are " + strings.Join(names, ", ")
		}
		return nil, &Error{Position: Position{File: s.from().file}, Advice: hint,
			Message: fmt.Sprintf("unknown variant %q%s", name, didYouMean(name, s.VariantNames()))}
	}
	var p problems
	v := p.build(s.origin, name)
	if err := p.err(); err != nil {
		return nil, err
	}
	return v, nil
}

// Tag returns the tag that the image is published under: version and tag suffix.
func (s *Spec) Tag() string { return s.Version + s.TagSuffix }

// File returns the path of the spec's file, as it was given to Load.
func (s *Spec) File() string { return s.from().file }

// from returns where s comes from; a Spec that was not loaded comes from nowhere.
func (s *Spec) from() *origin {
	if s.origin == nil {
		return &origin{}
	}
	return s.origin
}

// Position returns where a value was written, named by the keys and indexes that
// lead to it: Position("contents", "packages", 2). A list or mapping is where its
// key is. Where the spec does not say it (a default), the position is that of the
// nearest value around it, and at last the file as a whole.
func (s *Spec) Position(path ...any) Position {
	for ; len(path) > 0; path = path[:len(path)-1] {
		if pos, ok := s.from().positions[joinPath(path)]; ok {
			return pos
		}
	}
	return Position{File: s.from().file}
}

// says reports whether the spec has a value of its own at path.
func (s *Spec) says(path ...any) bool {
	_, ok := s.from().positions[joinPath(path)]
	return ok
}

func joinPath(path []any) string {
	out := ""
	for _, part := range path {
		switch part := part.(type) {
		case int:
			out += fmt.Sprintf("[%d]", part)
		default:
			out = join(out, fmt.Sprint(part))
		}
	}
	return out
}
