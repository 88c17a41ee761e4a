package language

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
)

// isPackageRoot reports whether the directory of a package.json is a package's: below
// node_modules that right under it or under a scope (Node.js, "Modules: Packages"),
// elsewhere any.
func isPackageRoot(name string) bool {
	dir := "/" + path.Dir(name)
	_, below, ok := cutLast(dir, "/node_modules/")
	if !ok {
		return true
	}
	scope, rest, scoped := strings.Cut(below, "/")
	return !scoped || strings.HasPrefix(scope, "@") && !strings.Contains(rest, "/")
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// readPackageJSON reads what npm calls a package's manifest (npm, "package.json"). One
// without a name or version is no package: it sets what kind of modules are below it.
func readPackageJSON(b []byte) *File {
	var doc struct {
		Name, Version, License, Licenses, Author, Homepage, Maintainers, Repository json.RawMessage
		Dependencies, OptionalDependencies, PeerDependencies                        json.RawMessage
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		return &File{Unread: "package.json: " + clean(err.Error())}
	}
	p := Package{Type: NPM, Name: jsonText(doc.Name), Version: jsonText(doc.Version), Homepage: clean(jsonText(doc.Homepage)), Choice: true, Stated: true}
	if !isName(p.Name) || !isName(p.Version) {
		return nil
	}
	if p.Licence = npmLicences(doc.License); p.Licence == nil {
		p.Licence = npmLicences(doc.Licenses)
	}
	if p.Supplier = npmPerson(doc.Author); p.Supplier == "" {
		p.Supplier = npmPerson(doc.Maintainers)
	}
	p.Repository = npmRepository(doc.Repository)
	for _, field := range []json.RawMessage{doc.Dependencies, doc.OptionalDependencies, doc.PeerDependencies} {
		var needs map[string]json.RawMessage
		if json.Unmarshal(field, &needs) != nil || len(needs) > maxNames {
			continue
		}
		for name := range needs {
			if isName(name) {
				p.Requires = append(p.Requires, name)
			}
		}
	}
	slices.Sort(p.Requires)
	p.Requires = slices.Compact(p.Requires)
	return &File{Packages: []Package{p}}
}

// jsonText returns a text, "" of anything else.
func jsonText(b json.RawMessage) string {
	var s string
	if json.Unmarshal(b, &s) != nil {
		return ""
	}
	return s
}

// npmRepository reads a repository, an object with its address or that alone.
func npmRepository(b json.RawMessage) string {
	var object struct{ URL string }
	text := jsonText(b)
	if text == "" && json.Unmarshal(b, &object) == nil {
		text = object.URL
	}
	return clean(text)
}

// npmLicences reads a licence or several, each a text or an object with its type.
func npmLicences(b json.RawMessage) []string {
	var list []json.RawMessage
	if json.Unmarshal(b, &list) != nil {
		list = []json.RawMessage{b}
	}
	var names []string
	for _, one := range list {
		var object struct {
			Type string
			URL  string
		}
		name := jsonText(one)
		if name == "" && json.Unmarshal(one, &object) == nil {
			if name = object.Type; name == "" {
				name = object.URL
			}
		}
		if name = clean(name); name != "" && len(names) < 20 {
			names = append(names, name)
		}
	}
	return names
}

// npmPerson reads a person, a text "Name <address> (url)" or an object, or the first of
// several.
func npmPerson(b json.RawMessage) string {
	var list []json.RawMessage
	if json.Unmarshal(b, &list) == nil && len(list) > 0 {
		b = list[0]
	}
	var object struct{ Name, Email string }
	text := jsonText(b)
	if text == "" && json.Unmarshal(b, &object) == nil {
		return party(object.Name, object.Email)
	}
	text, _, _ = strings.Cut(text, "(")
	return clean(text)
}
