package generate

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/getopt"
	"github.com/hardpan/hardpan/internal/maint/shell"
)

// The directories of update-xmlcatalog(8): catalogs, what they are made of, and the
// frame around their entries.
const (
	xmlCatalogs    = "/etc/xml"
	xmlCatalogData = "/var/lib/xml-core"
	xmlCatalogFrom = "/usr/share/xml-core/catalog."
)

// xmlCatalog is one XML catalog, its entries by what they match.
type xmlCatalog struct {
	file, data string
	entries    map[string]string
}

// updateXMLCatalog is update-xmlcatalog(8) of xml-core. Catalogs are sorted even
// where that is not asked for: then the program writes them in any order.
var updateXMLCatalog = getopt.Command("add del root sort verbose help file= id= local= package= type=", 1, func(_ context.Context, c *getopt.Call) (int, error) {
	if c.Has("help") {
		return 0, shell.Unsupported("update-xmlcatalog --help")
	}
	catalog, key, entry, why := xmlEntry(c)
	if why == "" {
		why = catalog.read(c)
	}
	if why == "" {
		why = catalog.change(key, entry, c.Has("add"))
	}
	if why != "" {
		return c.Errorf("error: %s", why)
	}
	if err := catalog.write(c); err != nil {
		return fail(c.Proc, err)
	}
	return 0, nil
})

// xmlEntry returns the catalog that a call is about, and the entry; or why there is
// none.
func xmlEntry(c *getopt.Call) (catalog *xmlCatalog, key, entry, why string) {
	add, kind, id := c.Has("add"), c.Value("type"), c.Value("id")
	root, pkg, local, file := c.Has("root"), c.Value("package"), c.Value("local"), c.Value("file")
	own := path.Join(xmlCatalogs, pkg+".xml")
	missing := func(name string) bool { return !isFile(c.Proc, c.Path(name)) }
	switch {
	case add == c.Has("del"):
		why = "one of 'add' and 'del' must be given"
	case root && add && pkg == "":
		why = "package catalog not given"
	case root && add && missing(own):
		why = "package catalog " + own + " not found"
	case root && (c.Has("local") || c.Has("file") || !add && pkg != ""):
		why = "package catalog, local catalog and file do not go with the root catalog"
	case root && !add && missing(xmlCatalogs+"/catalog"):
		why = "root catalog " + xmlCatalogs + "/catalog not found"
	case root:
	case pkg != "" && add && (local == "" || missing(local)):
		why = "local catalog " + local + " not found"
	case pkg != "" && !add && (local != "" || missing(own)):
		why = "package catalog " + own + " not found"
	case pkg != "" && file != "":
		why = "file not for a package catalog file"
	case pkg != "":
	case local == "":
		why = "catalog not given"
	case add && (file == "" || missing(file)):
		why = "file " + file + " not found"
	case !add && (file != "" || missing(local)):
		why = "local catalog " + local + " not found"
	}
	if why == "" && !slices.Contains([]string{"public", "system", "uri"}, kind) {
		why = "wrong type"
	} else if why == "" && !c.Has("id") {
		why = "id not given"
	}
	if why != "" {
		return nil, "", "", why
	}
	name, delegate, attribute := kind, strings.ToUpper(kind[:1])+kind[1:], kind+"Id"
	if kind == "uri" {
		delegate, attribute = "URI", "uri"
	}
	switch {
	case root:
		catalog = &xmlCatalog{file: xmlCatalogs + "/catalog", data: xmlCatalogData + "/catalog"}
		entry = fmt.Sprintf(`catalog="file://%s"`, own)
	case pkg != "":
		catalog = &xmlCatalog{file: own, data: path.Join(xmlCatalogData, pkg)}
		entry = fmt.Sprintf(`catalog="file://%s"`, local)
	default:
		catalog = &xmlCatalog{file: c.Path(local), data: path.Join(xmlCatalogData, strings.ReplaceAll(local, "/", "_"))}
		if kind == "uri" {
			attribute = "name"
		}
		return catalog, fmt.Sprintf(`%s %s="%s"`, name, attribute, id), fmt.Sprintf(`uri="%s"`, file), ""
	}
	return catalog, fmt.Sprintf(`delegate%s %sStartString="%s"`, delegate, attribute, id), entry, ""
}

// read reads what a catalog is made of; of a new one there is nothing.
func (x *xmlCatalog) read(c *getopt.Call) (why string) {
	x.entries = map[string]string{}
	b, err := c.FS.ReadFile(x.data)
	if err != nil {
		if c.Has("add") {
			return ""
		}
		return "cannot open catalog data " + x.data + " for reading"
	}
	for line := range strings.Lines(string(b)) {
		parts := strings.Split(strings.TrimSuffix(line, "\n"), ">")
		if len(parts) > 1 {
			x.entries[strings.TrimPrefix(parts[0], "<")] = strings.TrimPrefix(parts[1], "<")
		}
	}
	return ""
}

func (x *xmlCatalog) change(key, entry string, add bool) (why string) {
	old, there := x.entries[key]
	switch {
	case !add && !there:
		return "entity not registered"
	case !add:
		delete(x.entries, key)
	case there && old != entry:
		return fmt.Sprintf("entity already registered with a different value\n Entity   : [%s]\n Old value: [%s]\n New value: [%s]", key, old, entry)
	default:
		x.entries[key] = entry
	}
	return ""
}

// write writes the catalog and what it is made of. The catalog that was there is
// kept beside it; an empty one is none.
func (x *xmlCatalog) write(c *getopt.Call) error {
	head, err := c.FS.ReadFile(xmlCatalogFrom + "header")
	if err != nil {
		return err
	}
	foot, err := c.FS.ReadFile(xmlCatalogFrom + "footer")
	if err != nil {
		return err
	}
	if isFile(c.Proc, x.file) {
		if err := c.FS.Rename(x.file, x.file+".old"); err != nil {
			return err
		}
	}
	if len(x.entries) == 0 {
		return c.FS.RemoveAll(x.data)
	}
	var data, catalog strings.Builder
	catalog.Write(head)
	for _, key := range slices.Sorted(maps.Keys(x.entries)) {
		fmt.Fprintf(&data, "<%s><%s>\n", key, x.entries[key])
		fmt.Fprintf(&catalog, "<%s %s/>\n", key, x.entries[key])
	}
	catalog.Write(foot)
	if err := c.FS.WriteFile(x.data, []byte(data.String()), 0o644); err != nil {
		return err
	}
	from(c.Proc, x.data)
	return c.FS.WriteFile(x.file, []byte(catalog.String()), 0o644)
}
