package verify

import (
	"archive/tar"
	"fmt"
	"slices"

	"github.com/hardpan/hardpan/internal/check/facts"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/tree"
)

// otherwise returns what the content of an image that hardpan built has otherwise than its
// record says, beside files that are missing or that nothing explains; and which files are
// not those of their packages, by the sums that these state. An SBOM that was made of an
// altered image says neither: it is true of what it was made of.
func otherwise(img *facts.Image) []string {
	rec, system := img.Record, img.System()
	var found []string
	for f := range img.All() {
		if f.Path == "." {
			continue
		}
		packaged := rec.Partial // what it leaves out is of packages
		if i, ok := slices.BinarySearch(rec.Paths.Path, f.Path); ok {
			origin := &rec.Origins[rec.Paths.Origin[i]]
			packaged = origin.Kind == tree.FromPackage && origin.Package == system.Owner[f.Path]
			if what := rowDiffers(&rec.Paths, i, f); what != "" {
				found = append(found, "/"+f.Path+": "+what)
			}
		} else if !rec.Partial && (f.Type == facts.Directory || f.Type == facts.Other) { // of others the SBOM's reader says it
			found = append(found, fmt.Sprintf("/%s: the image has it, a %s, and its record does not", f.Path, typeName(f)))
		}
		if sum, ok := system.Sums[f.Path]; ok && packaged && f.Type == facts.Regular && sum != f.MD5 {
			found = append(found, fmt.Sprintf("/%s: it is not the file that package %s states the MD5 sum of", f.Path, system.Owner[f.Path]))
		}
	}
	for i := range rec.Layers {
		if was, is := rec.Layers[i].DiffID, img.Image.Layers[i].DiffID; was != is {
			found = append(found, fmt.Sprintf("layer %d of %d is %.19s, its record says %.19s", i+1, len(rec.Layers), is, was))
		}
	}
	return found
}

// rowDiffers says in what a path is not as a row of a record has it. Hard links are what
// the file is that they lead to.
func rowDiffers(p *record.Paths, i int, f *facts.File) string {
	differs := func(what string, is, was any) string {
		return fmt.Sprintf("its %s is %v, its record says %v", what, is, was)
	}
	owner, kind := fmt.Sprintf("%d:%d", f.UID, f.GID), tree.Type(p.Type[i])
	switch {
	case kind != types[f.Type] || f.Type == facts.Other:
		return differs("type", typeName(f), kind)
	case f.Link != p.Link[i]:
		return differs("target", f.Link, p.Link[i])
	case kind == tree.Hardlink:
		return ""
	case kind != tree.Symlink && f.Mode != p.Mode[i]:
		return differs("mode", fmt.Sprintf("%04o", f.Mode), fmt.Sprintf("%04o", p.Mode[i]))
	case owner != p.Owner[i]:
		return differs("owner", owner, p.Owner[i])
	case f.Capability != p.Capability[f.Path]:
		return differs("capability", named(f.Capability), named(p.Capability[f.Path]))
	case kind == tree.File && f.Size != p.Size[i]:
		return differs("size", f.Size, p.Size[i])
	}
	return ""
}

func named(c tree.Capability) string {
	if c == "" {
		return "none"
	}
	return c.String()
}

// types are what the types of paths are called in records.
var types = map[facts.Type]tree.Type{facts.Regular: tree.File, facts.Directory: tree.Dir, facts.Symlink: tree.Symlink, facts.Hardlink: tree.Hardlink}

// typeName names the type of a path, those too that a record cannot have.
func typeName(f *facts.File) string {
	if t, ok := types[f.Type]; ok {
		return t.String()
	}
	return specialName(f.Kind)
}

// specialName names what a tar type flag stands for that no record can have.
func specialName(flag byte) string {
	switch flag {
	case tar.TypeChar, tar.TypeBlock:
		return "device"
	case tar.TypeFifo:
		return "pipe"
	}
	return "special file"
}
