package oci

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"github.com/hardpan/hardpan/internal/store"
)

// PushOptions say how an image is pushed.
type PushOptions struct {
	Tags []string // set beside the reference's own

	// Artifacts about the index or its images are pushed, in their order, before any
	// tag is set, see [Source.Attach].
	Artifacts []*Artifact

	// Keychain finds credentials; nil is Docker's configuration and credential
	// helpers, and podman's where there is none.
	Keychain authn.Keychain
	// Insecure allows plain HTTP. To loopback it always is allowed.
	Insecure bool
	// Transport carries the requests; nil is a shared one with proxies from the
	// environment.
	Transport http.RoundTripper

	// Progress is told how many of the total bytes are in the registry. Calls do not
	// overlap.
	Progress func(done, total int64)
	Jobs     int // blobs uploaded at a time; 0 is 4

	// MountFrom names repositories of the same registry, such as
	// "example.com/base/python", that have a blob already, so that it is mounted
	// from there and not uploaded (OCI distribution spec, Mounting a blob).
	MountFrom map[store.Digest]string

	// RetryDelay is the wait before the first retry of a request that failed with a
	// 5xx, 408 or 429 status or a broken connection; it triples for each of the three
	// retries. 0 is half a second.
	RetryDelay time.Duration
}

// Push uploads x to the repository of ref and tags it with ref's tag and
// o.Tags; with none of them the tag is "latest", as Docker has it. It returns the
// pinned reference, "registry/repository@digest".
//
// What the registry has is not uploaded again. The order is blobs, the platforms'
// manifests, the index, all by digest, the artifacts, and then the tags one by
// one: an error before that leaves every tag where it was, and the hint says what
// to repeat.
func Push(ctx context.Context, ref string, x *Index, o PushOptions) (pinned string, err error) {
	p, err := newPush(ref, x, o)
	if err != nil {
		return "", fmt.Errorf("cannot push %s: %w", ref, err)
	}
	pinned = p.repo.Digest(string(x.Digest)).String()
	for _, step := range []func(context.Context) error{p.uploadBlobs, p.putManifests, p.putArtifacts, p.setTags} {
		if err := step(ctx); err != nil {
			return "", fmt.Errorf("cannot push %s: %w", ref, explainRemote(err, p.repo.RegistryStr(), retryHint(err, p.repo.RegistryStr(), "push again", p.state())))
		}
	}
	return pinned, nil
}

// CheckPush reports, without asking the registry, a reference or tag that [Push]
// would refuse.
func CheckPush(ref string, o PushOptions) error {
	if _, err := newPush(ref, &Index{}, o); err != nil {
		return fmt.Errorf("cannot push %s: %w", ref, err)
	}
	return nil
}

type push struct {
	index    *Index
	options  PushOptions
	repo     name.Repository
	tags     []name.Tag
	mounts   map[store.Digest]name.Repository
	pusher   *remote.Pusher
	progress *progress

	allIn  bool // all but tags is in the registry
	tagged int  // how many of tags are set
}

func newPush(ref string, x *Index, o PushOptions) (*push, error) {
	if err := x.complete(); err != nil {
		return nil, err
	}
	r, err := parseReference(ref, o.Insecure)
	if err != nil {
		return nil, err
	}
	p := &push{index: x, options: o, repo: r.Context(), mounts: map[store.Digest]name.Repository{}}
	if p.tags, err = pushTags(ref, r, o.Tags); err != nil {
		return nil, err
	}
	for d, from := range o.MountFrom {
		if p.mounts[d], err = name.NewRepository(from); err != nil {
			return nil, fmt.Errorf("mount from %q: %w", from, err)
		}
	}
	delay := o.RetryDelay
	if delay <= 0 {
		delay = 500 * time.Millisecond
	}
	options := append(remoteOptions(o.Keychain, o.Transport, o.Insecure),
		remote.WithRetryBackoff(remote.Backoff{Duration: delay, Factor: 3, Jitter: 0.1, Steps: 4}))
	p.pusher, err = remote.NewPusher(options...)
	return p, err
}

// pushTags returns the tags to set: the reference's, where it names one, and more.
func pushTags(ref string, r name.Reference, more []string) ([]name.Tag, error) {
	tag, ok := r.(name.Tag)
	if !ok {
		return nil, fmt.Errorf("expected a repository or a tag, found the digest %s", r.Identifier())
	}
	var tags []name.Tag
	explicit := len(ref) > len(tag.TagStr()) && ref[len(ref)-len(tag.TagStr())-1:] == ":"+tag.TagStr()
	if explicit || len(more) == 0 {
		tags = append(tags, tag)
	}
	for _, t := range more {
		other, err := name.NewTag(tag.Context().Name() + ":" + t)
		if err != nil || other.TagStr() != t {
			return nil, fmt.Errorf("tag %q: expected up to 128 of the characters [A-Za-z0-9_.-]", t)
		}
		if other = tag.Context().Tag(t); !slices.Contains(tags, other) {
			tags = append(tags, other)
		}
	}
	return tags, nil
}

func (p *push) uploadBlobs(ctx context.Context) error {
	blobs := p.index.content()
	p.progress = newProgress(blobs, p.options.Progress)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(cmp.Or(p.options.Jobs, 4), 1))
	for i, b := range blobs {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := p.pusher.Upload(ctx, p.repo, p.layer(i, b)); err != nil {
				return fmt.Errorf("blob %s: %w", b.digest, err)
			}
			p.progress.finish(i)
			return nil
		})
	}
	return group.Wait()
}

func (p *push) layer(i int, b blob) v1.Layer {
	b.open = p.progress.count(i, b.open)
	layer := v1Layer{b}
	if from, ok := p.mounts[b.digest]; ok && from.RegistryStr() == p.repo.RegistryStr() {
		return &remote.MountableLayer{Layer: layer, Reference: from.Digest(string(b.digest))}
	}
	return layer
}

func (p *push) putManifests(ctx context.Context) error {
	for _, img := range p.index.Images {
		if err := p.putDigest(ctx, img.Digest, rawManifest{img.Manifest, img.MediaType}); err != nil {
			return err
		}
	}
	return p.putDigest(ctx, p.index.Digest, rawManifest{p.index.Manifest, p.index.MediaType})
}

func (p *push) putDigest(ctx context.Context, d store.Digest, m rawManifest) error {
	if err := p.pusher.Push(ctx, p.repo.Digest(string(d)), m); err != nil {
		return fmt.Errorf("manifest %s: %w", d, err)
	}
	return nil
}

func (p *push) putArtifacts(ctx context.Context) error {
	err := pushArtifacts(ctx, p.pusher, p.repo, p.options.Artifacts)
	p.allIn = err == nil
	return err
}

func (p *push) setTags(ctx context.Context) error {
	for _, t := range p.tags {
		if err := p.pusher.Push(ctx, t, rawManifest{p.index.Manifest, p.index.MediaType}); err != nil {
			return fmt.Errorf("tag %s: %w", t.TagStr(), err)
		}
		p.tagged++
	}
	return nil
}

// state says what is in the registry.
func (p *push) state() string {
	switch {
	case p.tagged > 0:
		return fmt.Sprintf("%d of %d tags are set, all else is in the registry", p.tagged, len(p.tags))
	case p.allIn:
		return "no tag was moved, all else is in the registry"
	}
	return "no tag was moved, and what was uploaded is not sent twice"
}

// rawManifest is a document for the library to put, under the name it is given.
type rawManifest struct {
	content []byte
	media   string
}

func (m rawManifest) RawManifest() ([]byte, error)        { return m.content, nil }
func (m rawManifest) MediaType() (types.MediaType, error) { return types.MediaType(m.media), nil }
