package specs

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// policy.schema.json is made like spec.schema.json.
//
//go:embed policy.schema.json
var policySchema []byte

// PolicySchema returns the JSON Schema of policies, as [Schema] does that of specs.
func PolicySchema() []byte { return slices.Clone(policySchema) }

// Policy is what an organisation demands of images. What it does not mention, it does
// not demand. A star in a pattern stands for any text.
type Policy struct {
	// Version of the policy's format; always hardpan/policy-v1.
	APIVersion string `yaml:"apiVersion" spec:"required,enum=hardpan/policy-v1"`
	// Name of the policy.
	Name string `yaml:"name"`
	// Who may sign images, and how many of them must have.
	Signers Signers `yaml:"signers"`
	// What must be attested of each platform's image: spdx, cyclonedx, provenance, lock, spec, tests, hardening, openvex, vuln, or the URI of a type of predicates.
	Attestations []string `yaml:"attestations" spec:"set,format=predicate"`
	// Builders that images may come from, by the id in their provenance.
	Builders []TrustedBuilder `yaml:"builders" spec:"key=id"`
	// Least SLSA build level. Level 1 is provenance that a signer vouches for; what a builder is believed of more, builders says.
	Level int `yaml:"slsa-level" spec:"min=1,max=3"`
	// Patterns of repositories that specs may come from, such as git+https://github.com/example/images@refs/heads/main.
	Sources []string `yaml:"sources" spec:"set"`
	// How old images may be.
	Age Ages `yaml:"age"`
	// Patterns of archives that packages may come from: debian/trixie, debian/trixie-*, or address and suite of a further one.
	Archives []string `yaml:"archives" spec:"set"`
	// Patterns of existing images that images and their stages may stand on. Those that stand on none always may; [scratch] lets no others.
	Bases []string `yaml:"bases" spec:"set"`
	// Packages that must not be there, or not in old versions.
	Packages PolicyPackages `yaml:"packages"`
	// Hardening rules that images must keep.
	Hardening *PolicyHardening `yaml:"hardening"`
	// Platforms that an image must have.
	Platforms []Platform `yaml:"platforms" spec:"set"`
	// Whether an image must come out the same when it is built again. It is built for that.
	Rebuild bool `yaml:"rebuild"`

	origin *origin
}

// Signers are who may sign.
type Signers struct {
	// How many of the keys and identities must have signed. Default: 1.
	AtLeast int `yaml:"at-least" spec:"min=1,max=100"`
	// Keys that may sign.
	Keys []SignerKey `yaml:"keys" spec:"key=name"`
	// Identities that may sign, by certificates of a sigstore authority.
	Identities []SignerIdentity `yaml:"identities" spec:"key=name"`
}

// SignerKey is a public key: a file, or the fingerprint of one that is given with --key.
type SignerKey struct {
	// Name that the policy has for the key.
	Name string `yaml:"name" spec:"required,format=name"`
	// File with the public key: relative to the policy and below its directory, or absolute.
	File string `yaml:"file" spec:"format=key-file"`
	// Fingerprint of the key, SHA256:..., as hardpan key generate prints it.
	Fingerprint string `yaml:"fingerprint" spec:"format=fingerprint"`
}

// SignerIdentity is whom an authority has certified.
type SignerIdentity struct {
	// Name that the policy has for the identity.
	Name string `yaml:"name" spec:"required,format=name"`
	// Pattern of the certificate's subject: an address, or the URI of a workflow.
	Identity string `yaml:"identity" spec:"required"`
	// Address of who knows the identity, such as https://token.actions.githubusercontent.com.
	Issuer string `yaml:"issuer" spec:"required,format=url"`
}

// TrustedBuilder is a builder, and what is believed of it.
type TrustedBuilder struct {
	// Pattern of the builder's id.
	ID string `yaml:"id" spec:"required"`
	// Highest SLSA build level that the builder is believed to reach. Default: 1.
	Level int `yaml:"level" spec:"min=1,max=3"`
	// Signers that only this builder signs as. From level 2 on, one of them must have signed the provenance.
	SignedBy []string `yaml:"signed-by" spec:"set,format=name"`
}

// Ages bound ages.
type Ages struct {
	// Most days since the image's time, such as 30d.
	Image string `yaml:"image" spec:"format=days"`
	// Most days since the newest of its archives was signed, such as 14d.
	Archive string `yaml:"archive" spec:"format=days"`
	// Whether no archive may be past its Valid-Until.
	Unexpired bool `yaml:"unexpired"`
}

// PolicyPackages are demands on packages.
type PolicyPackages struct {
	// Patterns of names of packages that must not be there.
	Denied []string `yaml:"denied" spec:"set"`
	// Least versions of packages that are there, by name of the package or of its source package.
	Minimum map[string]string `yaml:"minimum" spec:"keys=package,format=version"`
}

// PolicyHardening is what hardpan check must find.
type PolicyHardening struct {
	// Least severity of rules that may not be broken: info, low, medium, high or critical.
	FailOn string `yaml:"fail-on" spec:"enum=info|low|medium|high|critical"`
	// Further rules that may not be broken.
	Rules []string `yaml:"rules" spec:"set,format=rule"`
	// Rules that specs may waive; all others hold in spite of a waiver.
	Waivers []string `yaml:"waivers" spec:"set,format=rule"`
}

var policyType = reflect.TypeFor[Policy]()

// LoadPolicy reads a policy file, as strictly as [Load] reads a spec. Its error is an
// [Errors] with everything that is wrong.
func LoadPolicy(path string) (*Policy, error) {
	p := problems{root: policyType}
	b := readFile(path, nil, &p)
	if b == nil {
		return nil, p.policyErr()
	}
	return ParsePolicy(path, b)
}

// ParsePolicy reads the text of a policy. file is its path, for errors and for the
// files that it names.
func ParsePolicy(file string, text []byte) (*Policy, error) {
	p := problems{root: policyType}
	text = checkText(text, Position{File: file}, &p)
	if text == nil {
		return nil, p.policyErr()
	}
	root := parse(file, text, &p)
	if root == nil || !p.fits(root, policyType, "") {
		return nil, p.policyErr()
	}
	policy := &Policy{origin: &origin{file: file, positions: map[string]Position{}, sources: map[string]sourceFile{}}}
	d := &decoder{problems: &p, dir: filepath.Dir(file), positions: policy.origin.positions, sources: policy.origin.sources, unsound: map[string]bool{}}
	d.value(root, reflect.ValueOf(policy).Elem(), nil, "")
	if len(p.list) == 0 {
		p.validatePolicy(policy)
	}
	if err := p.policyErr(); err != nil {
		return nil, err
	}
	setDefault(&policy.Signers.AtLeast, 1)
	for i := range policy.Builders {
		setDefault(&policy.Builders[i].Level, 1)
	}
	return policy, nil
}

// policyErr is err in the words of a policy.
func (p *problems) policyErr() error {
	for _, e := range p.list {
		for _, word := range []string{"spec: ", "spec is ", "cannot read spec: "} {
			if rest, ok := strings.CutPrefix(e.Message, word); ok {
				e.Message = strings.Replace(word, "spec", "policy", 1) + rest
			}
		}
		e.Advice = strings.ReplaceAll(e.Advice, "apiVersion: "+APIVersion, "apiVersion: hardpan/policy-v1")
	}
	return p.err()
}

// validatePolicy checks what the values of a policy say of each other.
func (p *problems) validatePolicy(policy *Policy) {
	signers := map[string]bool{}
	named := func(name string, path ...any) {
		if signers[name] {
			p.add(policy.Position(path...), "", "signers: %s is the name of a key, too", quote(name))
		}
		signers[name] = true
	}
	for i, k := range policy.Signers.Keys {
		if (k.File == "") == (k.Fingerprint == "") {
			p.add(policy.Position("signers", "keys", i), "", "signers.keys[%d]: expected either file or fingerprint", i)
		}
		named(k.Name, "signers", "keys", i, "name")
	}
	for i, id := range policy.Signers.Identities {
		named(id.Name, "signers", "identities", i, "name")
	}
	if n := policy.Signers.AtLeast; n > len(signers) {
		p.add(policy.Position("signers", "at-least"), "", "signers.at-least: found %d, there are %d signers", n, len(signers))
	}
	most := 1
	for i, b := range policy.Builders {
		most = max(most, b.Level)
		if b.Level > 1 && len(b.SignedBy) == 0 {
			p.add(policy.Position("builders", i, "level"), "name with signed-by who only this builder signs as",
				"builders[%d].level: found %d, which nobody can know of a builder whose signature anybody may have made", i, b.Level)
		}
		for j, name := range b.SignedBy {
			if !signers[name] {
				p.add(policy.Position("builders", i, "signed-by", j), "", "builders[%d].signed-by: %s is no signer of the policy", i, quote(name))
			}
		}
	}
	if policy.Level > most {
		p.add(policy.Position("slsa-level"), "", "slsa-level: found %d, the builders are believed to reach %d at most", policy.Level, most)
	}
}

// Position returns where a value was written, as [Spec.Position] does.
func (p *Policy) Position(path ...any) Position { return (&Spec{origin: p.origin}).Position(path...) }

// File returns the path of the policy's file.
func (p *Policy) File() string { return p.origin.file }

// OpenKey opens the file of a key. A name that the policy does not have is
// [io/fs.ErrNotExist].
func (p *Policy) OpenKey(name string) (*os.File, error) {
	f, ok := p.origin.sources[name]
	if !ok {
		return nil, fmt.Errorf("cannot open %q: no file that %s names: %w", name, p.origin.file, fs.ErrNotExist)
	}
	return f.open()
}

// Error returns an error about a value of the policy.
func (p *Policy) Error(err error, path ...any) error {
	e := &Error{Position: p.Position(path...), Message: err.Error(), Err: err}
	if h, ok := errors.AsType[interface {
		error
		Hint() string
	}](err); ok {
		e.Advice = h.Hint()
	}
	return e
}

// ParseDays returns how long a number of days such as 30d is, 0 for "".
func ParseDays(s string) time.Duration {
	n, err := strconv.Atoi(strings.TrimSuffix(s, "d"))
	if err != nil {
		return 0
	}
	return time.Duration(n) * 24 * time.Hour
}
