package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/hardpan/hardpan/builder"
	"github.com/hardpan/hardpan/internal/check"
	"github.com/hardpan/hardpan/internal/kms"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/sign"
	"github.com/hardpan/hardpan/internal/store"
)

func newSign(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sign IMAGE",
		Short: "sign an image, and attest what is known about it",
		Long: `sign signs the index of an image and each platform's image with a key that
hardpan key generate or cosign generate-key-pair made, or with --keyless for the
identity of an OIDC token. IMAGE is a registry reference or an OCI layout, and the
signatures go there: into the registry under the tags that cosign has for them, or
into the layout. With --new-bundle-format they are sigstore bundles that refer to
what they sign (OCI 1.1), and without a key they always are.

With --attest a document is attested too: an in-toto statement with the
document as predicate, of the types spdx, cyclonedx, slsaprovenance1, openvex,
vuln or a URI. @PLATFORM after the type, or @index, says which image it is about;
without, it is about the index and each platform's.

Of an image that hardpan built it is attested how the image keeps the hardening
rules, unless the key has attested that already.

What others signed stays. What this key signed before is replaced: signatures,
and attestations of the same type; bundles are only added. The signature names the
attestations that belong to the image, those made before too, which have to be there.

The key's password is that of HARDPAN_PASSWORD or COSIGN_PASSWORD; where neither is
set it is asked for on the terminal.`,
		Example: `  hardpan sign dist/python-3.13 --key hardpan.key
  hardpan sign registry.example.com/base/python:3.13 --key hardpan.key \
    --attest spdx@linux/amd64=amd64.spdx.json --attest spdx@linux/arm64=arm64.spdx.json`,
		Args: exactArgs("IMAGE"),
	}
	flags := cmd.Flags()
	flags.String("key", "", "`file` of the private key, or a reference NAME://KEY for the plugin sigstore-kms-NAME")
	flags.StringArray("attest", nil, "attest a document: `TYPE[@PLATFORM]=FILE`; may be repeated")
	flags.String("identity", "", "`name` that the image goes by in the signature (default: its repository)")
	bundleFlag(flags)
	keylessFlags(flags)
	insecureFlag(flags)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.sign(cmd.Context(), args[0]) }
	return cmd
}

func bundleFlag(flags *pflag.FlagSet) {
	flags.Bool("new-bundle-format", false, "write sigstore bundles, as OCI 1.1 referrers, and not cosign's tags")
}

func insecureFlag(flags *pflag.FlagSet) {
	flags.Bool("insecure-registry", false, "allow plain HTTP to the registry; to loopback it always is allowed")
}

// signResult is what sign prints as JSON.
type signResult struct {
	Image    store.Digest   `json:"image"`
	Key      string         `json:"key,omitempty"`
	Identity string         `json:"identity,omitempty"` // who signed without a key
	Subjects []sign.Subject `json:"subjects"`
}

func (a *app) sign(ctx context.Context, image string) error {
	attest, err := parseAttest(a.settings.GetStringSlice("attest"))
	if err != nil {
		return err
	}
	signer, err := a.signer(ctx)
	if err != nil {
		return err
	}
	src, err := oci.Open(ctx, image, oci.OpenOptions{Insecure: a.settings.GetBool("insecure-registry")})
	if err != nil {
		return err
	}
	defer src.Close()
	reference := a.settings.GetString("identity")
	if reference == "" {
		reference = src.Repository
	}
	set := sign.NewSet(src, signer, reference)
	if a.settings.GetBool("new-bundle-format") {
		set.AsBundles()
	}
	for _, x := range attest {
		if err := set.Attest(x.subject, x.predicateType, x.predicate); err != nil {
			return usagef("%s: %w", x.file, err)
		}
	}
	if err := attestHardening(ctx, src, set, signer.Verifier(), attest); err != nil {
		return err
	}
	artifacts, err := set.Artifacts(ctx)
	if err == nil {
		err = src.Attach(ctx, artifacts)
	}
	if err != nil {
		return fmt.Errorf("cannot sign %s: %w", image, err)
	}
	res := signResult{Image: src.Digest, Subjects: sign.Subjects(src)}
	if v := signer.Verifier(); v != nil {
		res.Key = v.ID()
	} else {
		res.Identity = signer.String()
	}
	return a.printSigned(res, signer, attest)
}

// attestHardening attests how the images that hardpan built keep the hardening rules, of
// those of which the key has not attested it already, as a build with the key would have.
// v is nil for who signs without a key, which is another one each time.
func attestHardening(ctx context.Context, src *oci.Source, set *sign.Set, v *sign.Verifier, given []attestFlag) (err error) {
	report := &sign.Report{}
	if v != nil {
		if report, err = sign.Verify(ctx, src, v); err != nil {
			return err
		}
	}
	for _, img := range src.Images {
		subject := sign.Subject{Name: img.Platform.String(), Digest: img.Digest}
		is := func(q sign.Question) bool {
			return q.Subject.Digest == subject.Digest && q.Type == check.ResultType && q.OK && !q.Unanswered
		}
		named := func(x attestFlag) bool {
			return x.predicateType == check.ResultType && (x.subject == "" || x.subject == subject.Name)
		}
		if len(img.Config.Record) == 0 || slices.ContainsFunc(report.Questions, is) || slices.ContainsFunc(given, named) {
			continue
		}
		text, err := check.AttestImage(ctx, img)
		if err == nil {
			err = set.Attest(subject.Name, check.ResultType, text)
		}
		if err != nil {
			return fmt.Errorf("cannot attest how %s keeps the hardening rules: %w", subject.Name, err)
		}
	}
	return nil
}

func (a *app) printSigned(res signResult, signer *sign.Signer, attest []attestFlag) error {
	if a.json() {
		return a.printJSON(res)
	}
	fmt.Fprintf(a.out, "signed %s\n", oneLine(signedBy(signer)))
	for _, s := range res.Subjects {
		fmt.Fprintf(a.out, "  %-12s %s\n", s.Name, s.Digest)
		for _, x := range attest {
			if x.subject == "" || x.subject == s.Name {
				fmt.Fprintf(a.out, "  %-12s   with %s of %s\n", "", x.predicateType, x.file)
			}
		}
	}
	return nil
}

// signedBy says who signed: "with key ID", or "by IDENTITY".
func signedBy(s *sign.Signer) string {
	if s.Verifier() == nil {
		return "by " + s.String()
	}
	return "with " + s.String()
}

// signer loads the private key that --key names, which may be in a KMS, or is the
// identity of a token.
func (a *app) signer(ctx context.Context) (*sign.Signer, error) {
	if a.isKeyless() {
		return a.keylessSigner()
	}
	if name := a.settings.GetString("key"); kms.IsReference(name) {
		signer, err := kms.Signer(ctx, name)
		return signer, kmsError(err)
	}
	text, password, err := a.privateKey()
	if err != nil {
		return nil, err
	}
	return a.loadSigner(text, password)
}

// kmsError says that the call is wrong where no program is for a key.
func kmsError(err error) error {
	if errors.Is(err, kms.ErrNoProgram) {
		return usageError{err: err}
	}
	return err
}

// loadSigner opens a private key, and forgets the password.
func (a *app) loadSigner(text, password []byte) (*sign.Signer, error) {
	signer, err := sign.LoadSigner(text, password)
	clear(password)
	if errors.Is(err, sign.ErrPassword) {
		return nil, usageError{err: fmt.Errorf("%s: %w", a.settings.GetString("key"), err), hint: "HARDPAN_PASSWORD is the password of the key"}
	}
	if err != nil {
		return nil, usagef("%s: %w", a.settings.GetString("key"), err)
	}
	return signer, nil
}

// signBuild returns what signs an image that is built. The password is known before
// work begins; whether it opens the key turns out while layers are made, and is not asked
// where the same was signed before. Which key a KMS has under a name may change, and so
// nothing of it is kept.
func (a *app) signBuild(ctx context.Context) (*builder.Signer, error) {
	bundles := a.settings.GetBool("new-bundle-format")
	if a.isKeyless() {
		return a.keylessBuild(ctx)
	}
	if name := a.settings.GetString("key"); kms.IsReference(name) {
		if err := kms.Check(name); err != nil {
			return nil, kmsError(err)
		}
		return &builder.Signer{Bundles: bundles, Open: func() (builder.Key, error) {
			signer, err := kms.Signer(ctx, name)
			return buildKey{signer, bundles}, err
		}}, nil
	}
	text, password, err := a.privateKey()
	if err != nil {
		return nil, err
	}
	id := string(store.DigestOf(text))
	if bundles {
		id += " bundles"
	}
	return &builder.Signer{ID: id, Bundles: bundles, Open: func() (builder.Key, error) {
		signer, err := a.loadSigner(text, password)
		// Opening it took 64 MB, from which the collector would reckon how much more the
		// layers may take before it runs again.
		runtime.GC()
		return buildKey{signer, bundles}, err
	}}, nil
}

// A buildKey signs images that are built.
type buildKey struct {
	signer  *sign.Signer
	bundles bool
}

func (k buildKey) Name() string {
	if v := k.signer.Verifier(); v != nil {
		return v.ID()
	}
	return k.signer.String()
}

func (k buildKey) Sign(ctx context.Context, image *oci.Source, about []builder.Predicate) ([]*oci.Artifact, error) {
	set := sign.NewSet(image, k.signer, image.Repository)
	if k.bundles {
		set.AsBundles()
	}
	for _, subject := range sign.Subjects(image) {
		for _, p := range about {
			if p.Subject != subject.Digest {
				continue
			}
			if err := set.Attest(subject.Name, p.Type, p.Document); err != nil {
				return nil, err
			}
		}
	}
	return set.Artifacts(ctx)
}

// attestFlag is one value of --attest.
type attestFlag struct {
	subject, predicateType, file string
	predicate                    []byte
}

func parseAttest(values []string) ([]attestFlag, error) {
	var list []attestFlag
	for _, value := range values {
		kind, file, ok := strings.Cut(value, "=")
		if !ok || file == "" {
			return nil, usagef("attest is %q, expected TYPE[@PLATFORM]=FILE", value)
		}
		x := attestFlag{file: file}
		if i := strings.LastIndexByte(kind, '@'); i >= 0 {
			x.subject = kind[i+1:]
			if _, err := oci.ParsePlatform(x.subject); err != nil && x.subject != "index" {
				return nil, usageError{err: err}
			}
			kind = kind[:i]
		}
		var err error
		if x.predicateType, err = sign.PredicateType(kind); err != nil {
			return nil, usageError{err: err}
		}
		if x.predicate, err = os.ReadFile(file); err != nil {
			return nil, usagef("cannot read what to attest: %w", err)
		}
		list = append(list, x)
	}
	return list, nil
}
