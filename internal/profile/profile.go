package profile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/internal/syscalls"
)

// Options say what is known of an image beside what is in it. The zero value is fine.
type Options struct {
	// Reference is what a platform pulls the image by; "" is Repository with the
	// digest or, without one, the image's name and version.
	Reference  string
	Repository string       // that the image was read from, if it was a registry
	Digest     store.Digest // of what the reference led to: the index, if there is one

	// EntrypointOnly counts, for system calls, the files alone that the entrypoint and
	// the health check load, and not every program and plugin of the image.
	EntrypointOnly bool

	// Key is the public key, in PEM, that admission policies ask for signatures of.
	Key []byte

	Store *store.Store // remembers what is in layers and files; may be nil
}

// Profile is what a platform should enforce for one image.
type Profile struct {
	Facts   *Facts   `json:"facts"`
	Seccomp *Seccomp `json:"seccomp,omitempty"` // nil for an architecture whose machine code is not known

	key       string
	libraries []string // directories with shared libraries
}

// Of reads an image. The error names the layer that cannot be read.
func Of(ctx context.Context, img *oci.Image, o Options) (*Profile, error) {
	c, err := read(ctx, img, o.Store)
	if err != nil {
		return nil, err
	}
	p := &Profile{Facts: factsOf(img, c, o), key: strings.TrimSpace(string(o.Key))}
	p.libraries = c.libraries()
	arch := img.Platform.Architecture
	if syscalls.Architecture(arch) == "" {
		p.Facts.unknown("which system calls it makes: machine code for %s is not understood", arch)
		return p, nil
	}
	programs, problems := c.analyzed(arch, p.Facts, o.EntrypointOnly)
	p.Facts.Unknown = append(p.Facts.Unknown, problems...)
	if len(programs) == 0 {
		p.Facts.unknown("which system calls it makes: the image has no program; add one, and ask again")
	}
	p.Seccomp = seccomp(arch, programs, p.Facts)
	return p, nil
}

// Format is one of the documents that a profile is written as.
type Format struct {
	Name string // as the command line has it
	File string // that the document is written to
	What string // it is, for help
	// Key says that the format needs a public key.
	Key   bool
	write func(*Profile) ([]byte, error)
}

// Formats are all documents, in the order of their names.
var Formats = []Format{
	{"apparmor", "apparmor.profile", "AppArmor profile", false, (*Profile).appArmor},
	{"compose", "compose.yaml", "Compose file", false, (*Profile).compose},
	{"docker-run", "docker-run.sh", "docker run, or podman run, with its options", false, (*Profile).dockerRun},
	{"falco", "falco.yaml", "Falco rules: unexpected programs, writes and shells", false, (*Profile).falco},
	{"gvisor", "gvisor.yaml", "Kubernetes RuntimeClass for gVisor", false, (*Profile).gvisor},
	{"kubernetes", "kubernetes.yaml", "Kubernetes Deployment that meets the Pod Security Standard restricted", false, (*Profile).kubernetes},
	{"kyverno", "kyverno.yaml", "Kyverno policy for signature and attestations", true, (*Profile).kyverno},
	{"networkpolicy", "networkpolicy.yaml", "Kubernetes NetworkPolicies: nothing but the declared ports", false, (*Profile).network},
	{"policy-controller", "policy-controller.yaml", "Sigstore policy-controller policy for signature and attestations", true, (*Profile).policyController},
	{"seccomp", "seccomp.json", "seccomp profile", false, (*Profile).seccomp},
}

// FormatOf returns the format of a name.
func FormatOf(name string) (Format, bool) {
	i := slices.IndexFunc(Formats, func(f Format) bool { return f.Name == name })
	if i < 0 {
		return Format{}, false
	}
	return Formats[i], true
}

// ErrNoKey is wrapped by the error about a format that needs a key where there is none.
var ErrNoKey = errors.New("an admission policy needs the public key that it asks for signatures of")

// ErrNoSeccomp is wrapped by the error about a seccomp profile for an architecture whose
// machine code is not known.
var ErrNoSeccomp = errors.New("no system calls are known")

// Write returns the document of a format.
func (p *Profile) Write(f Format) ([]byte, error) {
	if f.Key && p.key == "" {
		return nil, fmt.Errorf("cannot write %s: %w", f.Name, ErrNoKey)
	}
	b, err := f.write(p)
	if err != nil {
		return nil, fmt.Errorf("cannot write %s: %w", f.Name, err)
	}
	return b, nil
}

// HasKey reports whether the formats that need a key can be written.
func (p *Profile) HasKey() bool { return p.key != "" }

func (p *Profile) seccomp() ([]byte, error) {
	if p.Seccomp == nil {
		return nil, ErrNoSeccomp
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	err := enc.Encode(p.Seccomp.document())
	return b.Bytes(), err
}

// comments returns the sentences about what is unknown as comments, and a heading.
func (p *Profile) comments(heading string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n", heading)
	for _, u := range p.Facts.Unknown {
		fmt.Fprintf(&b, "# Unknown: %s\n", oneLine(u))
	}
	return b.String()
}

// oneLine keeps what an image says from ending a comment.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 {
			return ' '
		}
		return r
	}, s)
}
