package oci

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/hardpan/hardpan/internal/store"
)

// OpenOptions say how an image is opened.
type OpenOptions struct {
	// Platform, unless zero, is the only one that is read.
	Platform Platform
	// MissingLayers leaves it to the opening of a layer to find that it is missing, or not
	// of its size.
	MissingLayers bool

	Keychain  authn.Keychain    // as in [PushOptions]
	Insecure  bool              // as in [PushOptions]
	Transport http.RoundTripper // as in [PushOptions]
}

// loader returns one that reads from b.
func (o OpenOptions) loader(b backend) *loader {
	return &loader{backend: b, platform: o.Platform, missingLayers: o.MissingLayers}
}

// Source is an image that was opened for reading. Its documents have been read and
// checked; its layers are read, and verified, when they are opened.
type Source struct {
	// Digest is what the reference led to: an index, or the manifest of one image.
	// For the old form of docker archives, which have no manifests, it is that of the
	// manifest this package makes for them.
	Digest store.Digest
	// Index is nil where Digest is that of one image's manifest.
	Index *Index
	// Images are those of the index that were asked for, at least one.
	Images []*Image
	// Repository is the one that the image was read from, such as
	// "registry.example.com/base/python", or "" where that is no registry.
	Repository string

	closer io.Closer
	place  place // nil where there can be no artifacts
}

// Unpublished returns an image that is about to be pushed to ref, or written to disk
// where that is "". Its artifacts are those that the registry has already.
func Unpublished(x *Index, ref string, o OpenOptions) (*Source, error) {
	s := &Source{Digest: x.Digest, Index: x, Images: x.Images}
	if ref == "" {
		return s, nil
	}
	r, err := parseReference(ref, o.Insecure)
	if err == nil {
		s.place, s.Repository = registryPlace{r.Context(), o}, r.Context().Name()
	}
	return s, err
}

// Image returns the image for p or, where p is zero, the only one. The error wraps
// [ErrPlatform].
func (s *Source) Image(p Platform) (*Image, error) { return choose(s.Images, p) }

// Close ends the reading of layers too.
func (s *Source) Close() error {
	if s.closer == nil {
		return nil
	}
	return s.closer.Close()
}

// Where an image is, as containers-transports(5) names it.
const (
	prefixLayout        = "oci:"
	prefixArchive       = "oci-archive:"
	prefixDockerArchive = "docker-archive:"
	prefixRegistry      = "docker://"
)

// Open opens the image that ref names. ctx also ends the reading of layers.
//
// With a prefix, ref is what the prefix says: "oci:DIR" (a layout), "oci-archive:FILE",
// "docker-archive:FILE" or "docker://REFERENCE" (in a registry). Without one it is
// a path
//   - if it begins with "/", "./" or "../", is "." or "..", or ends in ".tar";
//   - else if it names a regular file, or a directory with a file "oci-layout";
//   - else if its part before some ":" or "@" does so;
//
// and otherwise a reference to a registry, read as Docker does. So a directory of
// sources named "python" does not hide the image "python", but a layout does.
//
// A path may be followed by ":NAME", which chooses among several images by the
// annotation org.opencontainers.image.ref.name or the tag in a docker archive, or
// by "@sha256:...", which chooses a manifest or index by its digest. Of a regular
// file the content says which kind of archive it is: with "oci-layout" in it, an
// OCI archive (`docker save` writes those since Docker 25), else with
// "manifest.json" a docker archive.
func Open(ctx context.Context, ref string, o OpenOptions) (*Source, error) {
	s, err := open(ctx, ref, o)
	if err != nil {
		return nil, fmt.Errorf("cannot open image %s: %w", ref, err)
	}
	return s, nil
}

func open(ctx context.Context, ref string, o OpenOptions) (*Source, error) {
	if rest, ok := strings.CutPrefix(ref, prefixRegistry); ok {
		return openRemote(ctx, rest, o)
	}
	for _, prefix := range []string{prefixLayout, prefixArchive, prefixDockerArchive} {
		if rest, ok := strings.CutPrefix(ref, prefix); ok {
			path, choice := splitPath(rest)
			return openPath(ctx, path, choice, prefix, o)
		}
	}
	path, choice := splitPath(ref)
	if looksLikePath(ref) || isImagePath(path) {
		return openPath(ctx, path, choice, "", o)
	}
	return openRemote(ctx, ref, o)
}

func looksLikePath(ref string) bool {
	return filepath.IsAbs(ref) || ref == "." || ref == ".." || strings.HasPrefix(ref, "./") ||
		strings.HasPrefix(ref, "../") || strings.HasSuffix(ref, ".tar")
}

// splitPath cuts ref at the last ":" or "@" before which it names an image on disk;
// ref whole is tried first. Where nothing does, the path is all of ref.
func splitPath(ref string) (path, choice string) {
	if isImagePath(ref) {
		return ref, ""
	}
	for i := len(ref) - 1; i > 0; i-- {
		if (ref[i] == ':' || ref[i] == '@') && isImagePath(ref[:i]) {
			return ref[:i], ref[i:]
		}
	}
	return ref, ""
}

// isImagePath reports whether path is a regular file or an image layout.
func isImagePath(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	if info.IsDir() {
		info, err = os.Stat(filepath.Join(path, layoutFile))
	}
	return err == nil && info.Mode().IsRegular()
}

// openPath opens a layout or an archive. choice is "", ":NAME" or "@DIGEST".
func openPath(ctx context.Context, path, choice, prefix string, o OpenOptions) (*Source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	switch {
	case info.IsDir() && (prefix == "" || prefix == prefixLayout):
		return openLayout(ctx, path, choice, o)
	case info.Mode().IsRegular() && prefix != prefixLayout:
		return openArchive(ctx, path, choice, prefix, o)
	}
	return nil, fmt.Errorf("%w: expected an OCI layout directory or an archive file", ErrInvalid)
}

// loadSource reads the documents from d on.
func loadSource(ctx context.Context, l *loader, d descriptor, closer io.Closer) (*Source, error) {
	r, err := l.load(ctx, d)
	if err != nil {
		return nil, err
	}
	return &Source{Digest: d.Digest, Index: r.index, Images: r.images, closer: closer}, nil
}

func openRemote(ctx context.Context, ref string, o OpenOptions) (*Source, error) {
	r, err := parseReference(ref, o.Insecure)
	if err != nil {
		return nil, err
	}
	s, err := readRemote(ctx, r, o)
	if err != nil {
		otherwise := ""
		if registry := r.Context().RegistryStr(); registry == name.DefaultRegistry && !strings.Contains(ref, registry) {
			otherwise = fmt.Sprintf("no file and no OCI layout is called %s, and so %s was asked", ref, registry)
		}
		return nil, explainRemote(err, r.Context().RegistryStr(), otherwise)
	}
	return s, nil
}

func readRemote(ctx context.Context, ref name.Reference, o OpenOptions) (*Source, error) {
	puller, err := remote.NewPuller(remoteOptions(o.Keychain, o.Transport, o.Insecure)...)
	if err != nil {
		return nil, err
	}
	got, err := puller.Get(ctx, ref)
	if err != nil {
		return nil, mismatch(err)
	}
	b := &rootedBackend{backend: remoteBackend{puller, ref.Context()}, digest: store.DigestOf(got.Manifest), content: got.Manifest}
	d := descriptor{MediaType: servedMedia(string(got.MediaType)), Digest: b.digest, Size: int64(len(got.Manifest))}
	if wanted, ok := ref.(name.Digest); ok && wanted.DigestStr() != string(d.Digest) {
		return nil, fmt.Errorf("%w: the manifest has digest %s", ErrMismatch, d.Digest)
	}
	s, err := loadSource(ctx, o.loader(b), d, nil)
	if err == nil {
		s.place, s.Repository = registryPlace{ref.Context(), o}, ref.Context().Name()
	}
	return s, err
}

// A rootedBackend has one manifest at hand and leaves the others to its backend.
type rootedBackend struct {
	backend
	digest  store.Digest
	content []byte
}

func (b *rootedBackend) manifest(ctx context.Context, d descriptor) (io.ReadCloser, error) {
	if d.Digest == b.digest {
		return documentReader(b.content), nil
	}
	return b.backend.manifest(ctx, d)
}

// servedMedia returns the media type that a registry sent, or "" for one that
// says nothing about the kind of manifest, as those behind a plain file server do.
func servedMedia(contentType string) string {
	switch contentType {
	case mediaIndex, mediaManifest, dockerIndex, dockerManifest:
		return contentType
	}
	return ""
}
