package specs

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

var update = flag.Bool("update", false, "write spec.schema.json anew")

// TestSchemaIsCurrent fails where the schemas are not what the types say.
func TestSchemaIsCurrent(t *testing.T) {
	for file, schema := range map[string]object{"spec.schema.json": generate(t), "policy.schema.json": generatePolicy(t)} {
		var want bytes.Buffer
		e := json.NewEncoder(&want)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(schema); err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(file, want.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s is not what the types say (error %v); run: go generate ./specs", file, err)
		}
	}
}

type object = map[string]any

// generator makes the schema of the types it meets.
type generator struct {
	comments map[string]string // of "Type" and "Type.Field"
	defs     object
	literal  bool // nothing stands for anything else: no variables, no "!"
}

func generate(t *testing.T) object {
	g := generator{comments: readComments(t, specFiles...), defs: object{}}
	root := g.mapping(documentType)
	maps.Copy(root, object{
		"$schema":     "https://json-schema.org/draft/2020-12/schema",
		"$id":         "https://github.com/hardpan/hardpan/specs/spec.schema.json",
		"title":       "hardpan spec",
		"description": "Spec of a hardened container base image made of Debian packages.",
		// The rest may come from a parent.
		"required": []string{"apiVersion"},
		"$defs":    g.defs,
	})
	return root
}

// specFiles have the types of specs.
var specFiles = []string{"spec.go", "stage.go", "fields.go"}

func generatePolicy(t *testing.T) object {
	g := generator{comments: readComments(t, "policy.go"), defs: object{}, literal: true}
	root := g.mapping(policyType)
	maps.Copy(root, object{
		"$schema":     "https://json-schema.org/draft/2020-12/schema",
		"$id":         "https://github.com/hardpan/hardpan/specs/policy.schema.json",
		"title":       "hardpan policy",
		"description": "What an organisation demands of container images, for hardpan verify --policy.",
		"$defs":       g.defs,
	})
	return root
}

// readComments returns the doc comments of the package's types and their fields.
func readComments(t *testing.T, files ...string) map[string]string {
	comments := map[string]string{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			decl, ok := n.(*ast.GenDecl)
			if !ok || decl.Tok != token.TYPE {
				return true
			}
			spec := decl.Specs[0].(*ast.TypeSpec)
			comments[spec.Name.Name] = oneLine(decl.Doc)
			if s, ok := spec.Type.(*ast.StructType); ok {
				for _, f := range s.Fields.List {
					if len(f.Names) == 1 {
						comments[spec.Name.Name+"."+f.Names[0].Name] = oneLine(f.Doc)
					}
				}
			}
			return false
		})
	}
	return comments
}

func oneLine(c *ast.CommentGroup) string { return strings.Join(strings.Fields(c.Text()), " ") }

func (g *generator) mapping(t reflect.Type) object {
	properties, required := object{}, []string{}
	for _, f := range fieldsOf(t) {
		p := g.value(f.typ, &f)
		p["description"] = g.comments[f.doc]
		properties[f.name] = p
		if f.required {
			required = append(required, f.name)
		}
	}
	out := object{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

func (g *generator) value(t reflect.Type, f *field) object {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if p, ok := map[reflect.Type]string{
		reflect.TypeFor[Mode]():           patternMode,
		reflect.TypeFor[Duration]():       patternDuration,
		reflect.TypeFor[Size]():           patternSize,
		reflect.TypeFor[Date]():           patternDate,
		reflect.TypeFor[Distro]():         patternDistro,
		reflect.TypeFor[Port]():           patternPort,
		reflect.TypeFor[PackageRequest](): patternPackage,
	}[t]; ok {
		out := g.text(p, f)
		if t == reflect.TypeFor[Port]() {
			return object{"anyOf": []object{{"type": "integer", "minimum": 1, "maximum": 65535}, out}}
		}
		return out
	}
	switch {
	case t == reflect.TypeFor[Platform]():
		return g.anyOf(object{"enum": platformNames()}, f)
	case t.Kind() == reflect.Struct:
		return g.reference(t)
	case t.Kind() == reflect.Map:
		values := object{"type": "string"}
		if t.Elem().Kind() == reflect.Struct {
			values = g.reference(t.Elem())
		}
		return object{"type": "object", "additionalProperties": values, "propertyNames": object{"pattern": f.keys.pattern}}
	case t.Kind() == reflect.Slice:
		out := object{"type": "array", "items": g.value(t.Elem(), f)}
		if f.set {
			out["uniqueItems"] = true
		}
		if f.required {
			out["minItems"] = 1
		}
		return out
	case t.Kind() == reflect.Bool:
		return g.anyOf(object{"type": "boolean"}, f)
	case t.Kind() == reflect.String && f.enum != nil:
		return g.anyOf(object{"enum": f.enum}, f)
	case t.Kind() == reflect.String:
		return g.text(f.format.pattern, f)
	}
	low, high := int64(0), int64(maxID)
	if f.min != nil {
		low, high = *f.min, *f.max
	}
	return g.anyOf(object{"type": "integer", "minimum": low, "maximum": high}, f)
}

// text is the schema of text of the pattern. Text with a variable or an escaped
// dollar may become anything, and that of a set with "!" removes.
func (g *generator) text(pattern string, f *field) object {
	out := object{"type": "string"}
	if f.required && pattern == "" {
		out["minLength"] = 1
	}
	if pattern != "" && g.literal {
		out["pattern"] = pattern
	} else if pattern != "" {
		pattern += `|\$[{$]`
		if f.set {
			pattern += `|^!`
		}
		out["pattern"] = pattern
	}
	return out
}

func (g *generator) anyOf(o object, f *field) object {
	if g.literal {
		return o
	}
	pattern := `\$\{`
	if f.set {
		pattern += `|^!`
	}
	return object{"anyOf": []object{o, {"type": "string", "pattern": pattern}}}
}

func (g *generator) reference(t reflect.Type) object {
	name := t.Name()
	if t == overlayType {
		name = "Variant"
	}
	if _, ok := g.defs[name]; !ok {
		g.defs[name] = nil // stops a type that holds itself
		def := g.mapping(t)
		def["description"] = g.comments[t.Name()]
		g.defs[name] = def
	}
	return object{"$ref": "#/$defs/" + name}
}

// TestSchemaDescribesEverything fails where a key has no doc comment.
func TestSchemaDescribesEverything(t *testing.T) {
	var walk func(path string, v any)
	walk = func(path string, v any) {
		o, _ := v.(object)
		for name, p := range o {
			if name == "properties" {
				for key, value := range p.(object) {
					if d, _ := value.(object)["description"].(string); d == "" {
						t.Errorf("%s.%s has no description", path, key)
					}
				}
			}
			walk(path+"."+name, p)
		}
	}
	walk("", generate(t))
	walk("", generatePolicy(t))
}

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	b, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("spec.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("spec.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fixtures returns the spec files below testdata.
func fixtures(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/images/*/*.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("found fixtures %v, expected at least three (error %v)", files, err)
	}
	return files
}

func asJSON(t *testing.T, n *yaml.Node) any {
	t.Helper()
	var v any
	asText(n)
	if err := n.Decode(&v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// asText makes dates text, as YAML 1.2 and so the editors have it.
func asText(n *yaml.Node) {
	if n.Tag == "!!timestamp" {
		n.Tag = "!!str"
	}
	for _, child := range n.Content {
		asText(child)
	}
}

func TestSchemaAcceptsFixtures(t *testing.T) {
	s := compileSchema(t)
	for _, file := range fixtures(t) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var doc yaml.Node
		if err := yaml.Unmarshal(b, &doc); err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(asJSON(t, &doc)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// TestSchemaAndLoaderAgree puts an unknown key into each mapping of the fixtures
// in turn, and a mapping in place of each value: both must refuse all of them.
func TestSchemaAndLoaderAgree(t *testing.T) {
	s := compileSchema(t)
	for _, file := range fixtures(t) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var doc yaml.Node
		if err := yaml.Unmarshal(b, &doc); err != nil {
			t.Fatal(err)
		}
		tried := 0
		mutate(doc.Content[0], "", func(path string) {
			tried++
			var p problems
			c := converter{file: file, p: &p, within: map[*yaml.Node]bool{}}
			p.fits(c.convert(doc.Content[0], false), documentType, "")
			if p.err() == nil {
				t.Errorf("%s with a wrong %s: the loader took it", file, path)
			}
			if s.Validate(asJSON(t, &doc)) == nil {
				t.Errorf("%s with a wrong %s: the schema took it", file, path)
			}
		})
		if tried < 8 {
			t.Errorf("%s: only %d mutations", file, tried)
		}
	}
}

// mutate calls try with each mutation of n made in turn, and undoes it after.
func mutate(n *yaml.Node, path string, try func(path string)) {
	text := func(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }
	free := slices.Contains([]string{"environment", "scripts", "answers", "labels", "annotations", "vars", "variants"}, path[strings.LastIndexByte(path, '.')+1:])
	if n.Kind == yaml.MappingNode && !free {
		content := n.Content
		n.Content = append(slices.Clone(content), text("unheard-of"), text("x"))
		try(path + ".unheard-of")
		n.Content = content
	}
	for i, child := range n.Content {
		inner := fmt.Sprintf("%s[%d]", path, i)
		if n.Kind == yaml.MappingNode {
			if i%2 == 0 {
				continue
			}
			inner = path + "." + n.Content[i-1].Value
		}
		n.Content[i] = &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{text("unheard-of"), {Kind: yaml.SequenceNode}}}
		try(inner)
		n.Content[i] = child
		mutate(child, inner, try)
	}
}
