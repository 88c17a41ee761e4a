package sboms

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/hardpan/hardpan/internal/debian"
	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/oci/layer"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/tree"
)

// Read describes an image. It reads each layer once, verifying it, and holds of it
// only what the description has. Errors of content that is not what its digest says
// wrap [oci.ErrMismatch].
func Read(ctx context.Context, src *oci.Image) (*Image, error) { return read(ctx, src, &scanner{}) }

// ReadWatched is Read for a caller who wants to see the same content: watch returns who
// looks at the entries of the layer of that index.
func ReadWatched(ctx context.Context, src *oci.Image, watch func(index int) layer.Watcher) (*Image, error) {
	return read(ctx, src, &scanner{watch: watch})
}

// Identify says what an image is, with nothing of its packages and files: no layer is
// read.
func Identify(src *oci.Image) (*Image, error) {
	r, err := newReading(src)
	if err != nil {
		return nil, err
	}
	r.identify()
	return r.img, nil
}

func newReading(src *oci.Image) (*reading, error) {
	r := &reading{src: src, img: &Image{Digest: src.Digest, Platform: src.Platform.String(), Completeness: Unknown, Recorded: len(src.Config.Record) > 0}}
	if len(src.Config.Record) > 0 {
		rec, err := record.Decode(src.Config.Record)
		if err != nil {
			return nil, fmt.Errorf("cannot describe image %s: %w: %w", src.Digest, oci.ErrInvalid, err)
		}
		if len(rec.Layers) != len(src.Layers) {
			return nil, fmt.Errorf("cannot describe image %s: %w: its record is of %d layers, it has %d", src.Digest, oci.ErrInvalid, len(rec.Layers), len(src.Layers))
		}
		r.rec = rec
	}
	return r, nil
}

func read(ctx context.Context, src *oci.Image, sc *scanner) (*Image, error) {
	r, err := newReading(src)
	if err != nil {
		return nil, err
	}
	if r.paths, err = sc.scan(ctx, src); err != nil {
		return nil, fmt.Errorf("cannot describe image %s: %w", src.Digest, err)
	}
	r.identify()
	if err := r.packages(); err != nil {
		return nil, fmt.Errorf("cannot describe image %s: %w", src.Digest, err)
	}
	r.files()
	r.languages()
	r.complete()
	return r.img, nil
}

// reading is an image as it is being read.
type reading struct {
	src   *oci.Image
	rec   *record.Record // nil of an image that hardpan did not build
	paths map[string]*entry
	img   *Image
}

// releases are the numbers of Debian's releases, by which scanners know them.
var releases = map[string]string{"bullseye": "11", "bookworm": "12", "trixie": "13", "forky": "14", "duke": "15"}

// identify fills in what the image is.
func (r *reading) identify() {
	img, config := r.img, r.src.Config
	said := func(key string) string { return cmp.Or(r.src.Annotations[key], config.Labels[key]) }
	img.Created = config.Created
	if img.Created.IsZero() {
		img.Created = time.Unix(0, 0).UTC()
	}
	img.SHA512 = sha512Of(r.src.Manifest)
	img.Publisher = publisher(said("org.opencontainers.image.vendor"), said("org.opencontainers.image.authors"), webAddress(said("org.opencontainers.image.url")))
	if t, ok := parseExpression(said("org.opencontainers.image.licenses")); ok {
		img.Licence = t.String()
	}
	img.Sources = webAddress(said("org.opencontainers.image.source"))
	if rec := r.rec; rec != nil {
		img.Name, img.Version, img.Archives, img.Components = rec.Name, rec.Version, rec.Archives, rec.Components
		for base := rec.Base; base != nil; base = base.Base {
			img.Bases = append(img.Bases, base)
			img.Components = append(slices.Clip(img.Components), base.Components...)
		}
		if rec.Variant != "" {
			img.Version += "-" + rec.Variant
		}
		distro, codename, _ := strings.Cut(rec.Distro, "/")
		img.Namespace, img.Distro = distro, distro+"-"+cmp.Or(releases[codename], codename)
		return
	}
	img.Name = cmp.Or(said("org.opencontainers.image.title"), string(img.Digest))
	img.Version = said("org.opencontainers.image.version")
	release := r.osRelease()
	img.Namespace = cmp.Or(release["ID"], "debian")
	if version := release["VERSION_ID"]; version != "" {
		img.Distro = img.Namespace + "-" + version
	}
}

// osRelease returns the variables of os-release(5), which a shell would read; nobody
// uses more of its language there than quotes.
func (r *reading) osRelease() map[string]string {
	vars := map[string]string{}
	e := cmp.Or(find(r.paths, "etc/os-release"), find(r.paths, osReleaseFile))
	if e == nil {
		return vars
	}
	for lines := bufio.NewScanner(bytes.NewReader(e.Content)); lines.Scan(); {
		if name, value, ok := strings.Cut(strings.TrimSpace(lines.Text()), "="); ok {
			vars[name] = strings.Trim(value, `"'`)
		}
	}
	return vars
}

// packages fills in the packages: those of the record with what dpkg's database in
// the image says of them or, without a record, those of the database.
func (r *reading) packages() error {
	controls, err := r.controls()
	if err != nil {
		return err
	}
	if r.rec == nil {
		for _, c := range controls {
			r.img.Packages = append(r.img.Packages, Package{
				Package: lock.Package{Name: c.name, Version: c.version, Architecture: c.architecture, Source: c.source, SourceVersion: c.sourceVersion},
				control: c,
			})
		}
	} else {
		add := func(p lock.Package, archives []lock.Archive) {
			known := slices.IndexFunc(controls, func(c *control) bool { return c.name == p.Name && c.version == p.Version })
			pkg := Package{Package: p, Requested: p.Why == "requested", archives: archives}
			if known >= 0 {
				pkg.control = controls[known]
			}
			r.img.Packages = append(r.img.Packages, pkg)
		}
		for _, p := range r.rec.Packages {
			add(p, r.rec.Archives)
		}
		for p, base := range r.rec.BasePackages() {
			add(*p, base.Archives)
		}
	}
	slices.SortFunc(r.img.Packages, func(a, b Package) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Architecture, b.Architecture))
	})
	relate(r.img.Packages)
	if r.rec == nil {
		markRequested(r.img.Packages)
	}
	for i := range r.img.Packages {
		r.fill(&r.img.Packages[i])
	}
	return nil
}

// controls returns the paragraphs of dpkg's database in the image, each package of an
// architecture once.
func (r *reading) controls() ([]*control, error) {
	found := map[[2]string]*control{}
	for _, name := range slices.Sorted(maps.Keys(r.paths)) {
		if name != statusFile && path.Dir(name) != statusDir || strings.HasSuffix(name, ".md5sums") || r.paths[name].SHA256 == "" {
			continue
		}
		list, err := readStatus(bytes.NewReader(r.paths[name].Content))
		if err != nil {
			return nil, fmt.Errorf("/%s: %w", name, err)
		}
		for _, c := range list {
			found[[2]string{c.name, c.architecture}] = c
		}
	}
	return slices.Collect(maps.Values(found)), nil
}

// markRequested marks the packages that no other depends on.
func markRequested(packages []Package) {
	needed := map[int]bool{}
	for i := range packages {
		for _, d := range packages[i].DependsOn {
			needed[d] = true
		}
	}
	for i := range packages {
		packages[i].Requested = !needed[i]
	}
}

// fill fills in what is known of a package beside its dependencies.
func (r *reading) fill(p *Package) {
	if c := p.control; c != nil {
		p.Described, p.Maintainer, p.Homepage, p.Section = true, c.maintainer, c.homepage, c.section
	}
	p.Licence = r.licence(p)
	p.Supplier = maintainer(p.Maintainer)
	if p.control != nil && p.control.supplier != "" {
		p.Supplier = Party{Name: p.control.supplier, Organization: true}
	}
	if a := p.archive(); a != nil {
		p.Location = location(a, p.Path)
		if a.URI == "" { // of the distribution itself
			p.Supplier = debianProject
			if strings.HasPrefix(p.Path, "pool/") {
				p.Sources = location(a, sourcePath(p))
			}
		}
	}
}

// licence reads the package's copyright file. Where it has none, its directory of
// documentation is a link to that of another package of the same source, which the
// image need not have kept (Debian Policy 12.3), so that such a package speaks for it.
func (r *reading) licence(p *Package) Licence {
	name := copyrightPath(p)
	e := find(r.paths, name)
	for i := 0; e == nil && i < len(r.img.Packages); i++ {
		if other := &r.img.Packages[i]; other.Source == p.Source && other.SourceVersion == p.SourceVersion {
			name = copyrightPath(other)
			e = find(r.paths, name)
		}
	}
	if e == nil {
		return Licence{Expression: noAssertion, Source: "the image has no /" + copyrightPath(p)}
	}
	l, err := readCopyright(e.Content)
	switch {
	case errors.Is(err, errFreeForm):
		return freeForm(p.Source, "/"+name, e.Content)
	case err != nil:
		return Licence{Expression: noAssertion, Source: "/" + name + " cannot be read: " + err.Error()}
	}
	l.Source = "/" + name + ", which states the licences of the whole source package"
	return l
}

func copyrightPath(p *Package) string { return "usr/share/doc/" + p.Name + "/copyright" }

// files fills in the files and says of each where it comes from.
func (r *reading) files() {
	owners := r.owners()
	for _, name := range slices.Sorted(maps.Keys(r.paths)) {
		e := r.paths[name]
		if e.Type == tree.Dir {
			continue
		}
		f := e.File
		f.Path = "/" + name
		f.Origin = r.origin(name, owners)
		r.img.Files = append(r.img.Files, f)
	}
}

// origin returns where a path comes from, nil if nothing says it.
func (r *reading) origin(name string, owners map[string]*tree.Origin) *tree.Origin {
	if r.rec != nil {
		if row, ok := r.rec.Lookup(name); ok {
			return row.Origin
		}
		if !r.rec.Partial {
			return nil
		}
		if e := r.paths[name]; r.rec.Base != nil && e.layer < r.rec.Base.Layers {
			o := tree.Origin{Kind: tree.FromBase, Base: string(r.rec.Layers[e.layer].Digest)}
			if by := owners[name]; by != nil {
				o.Package, o.Version = by.Package, by.Version
			}
			return &o
		}
	}
	return owners[name]
}

// owners returns which package ships which path, by dpkg's lists of the packages'
// files or, in an image without dpkg, by the checksums beside their paragraphs.
func (r *reading) owners() map[string]*tree.Origin {
	owners := map[string]*tree.Origin{}
	origins := map[string]*tree.Origin{}
	for _, p := range r.img.Packages {
		origins[p.Name] = &tree.Origin{Kind: tree.FromPackage, Package: p.Name, Version: p.Version, SHA256: p.SHA256}
	}
	for _, name := range slices.Sorted(maps.Keys(r.paths)) {
		dir, base := path.Split(name)
		var owner string
		switch {
		case dir == infoDir+"/" && strings.HasSuffix(base, ".list"):
			owner, _, _ = strings.Cut(strings.TrimSuffix(base, ".list"), ":")
		case dir == statusDir+"/" && strings.HasSuffix(base, ".md5sums"):
			owner = strings.TrimSuffix(base, ".md5sums")
		}
		if origins[owner] == nil {
			continue
		}
		for line := range strings.Lines(string(r.paths[name].Content)) {
			line = strings.TrimRight(line, "\n")
			if strings.HasSuffix(base, ".md5sums") {
				_, line, _ = strings.Cut(line, "  ")
			}
			shipped := tree.Clean(line)
			if merged := debian.MergedUsr(shipped, false); r.paths[shipped] == nil && r.paths[merged] != nil {
				shipped = merged
			}
			if r.paths[shipped] != nil {
				owners[shipped] = origins[owner]
			}
		}
	}
	return owners
}
