package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hardpan/hardpan/internal/keyless"
	"github.com/hardpan/hardpan/internal/kms"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/sign"
	"github.com/hardpan/hardpan/internal/verify"
	"github.com/hardpan/hardpan/specs"
)

func newVerify(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify IMAGE",
		Short: "verify the signatures and attestations of an image",
		Long: `verify answers an auditor's questions about an image, one row each, and exits
with 3 where the answer of one is no: is it signed with the key, is each attestation
the key's and about this image, are the layers what the manifests say, is each file
and package what the SBOM says, does the provenance fit the lock, did its tests
pass, how old is it. IMAGE is a registry reference, an OCI layout or an OCI
archive; but for the registry it needs no network. docs/verify.md says what each
answer proves.

The key is a public one: hardpan.pub or cosign.pub. What was signed without a key is
verified with --certificate-identity and --certificate-oidc-issuer, the names that
cosign has, and --trusted-root, a file that says which authorities and logs to believe.
Nobody else is asked: certificates, log entries and timestamps are in the bundles.

With --policy the image is held against what an organisation demands: signers,
attestations, builders, ages, archives, bases, packages, hardening rules, platforms.
A demand that cannot be answered is a no. Without --key the signer is one of the
policy's.

With --rebuild the image is built again from the attested spec and lock, with nothing
taken over but packages, each by its digest, and compared: it is the same, or
the first layer, path and byte that differ are named. Packages come from the machine's
mirror; where that no longer has them, --mirror names an archive of the past, whose
keys and dates do not matter. Commands of build stages run in a sandbox on this machine;
those with secrets do not, those that want the network only with --allow-network.`,
		Example: `  hardpan verify dist/python-3.13 --key hardpan.pub
  hardpan verify registry.example.com/base/python:3.13 --policy golden.yaml
  hardpan verify registry.example.com/base/python:3.13 --key cosign.pub --rebuild --output json
  hardpan verify registry.example.com/base/python:3.13 --trusted-root root.json \
    --certificate-identity https://github.com/example/base/.github/workflows/build.yaml@refs/heads/main \
    --certificate-oidc-issuer https://token.actions.githubusercontent.com`,
		Args: exactArgs("IMAGE"),
	}
	flags := cmd.Flags()
	flags.String("key", "", "`file` of the public key, or a reference NAME://KEY for the plugin sigstore-kms-NAME")
	flags.String("policy", "", "hold the image against the policy in this `file`")
	flags.Bool("rebuild", false, "build the image again from the attested spec and lock, and compare")
	flags.String("source", "", "`directory` of the spec in a checkout, for --rebuild of an image whose build stages read files from there")
	flags.Bool("allow-network", false, "with --rebuild, let commands of build stages reach the network where the spec says network: host")
	mirrorFlags(flags)
	identityFlags(flags)
	insecureFlag(flags)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.verify(cmd.Context(), args[0]) }
	return cmd
}

func (a *app) verify(ctx context.Context, image string) error {
	policy, err := a.policy()
	if err != nil {
		return err
	}
	var verifier *sign.Verifier
	if policy == nil || a.namesSigner() {
		if verifier, err = a.verifier(ctx); err != nil {
			return err
		}
	}
	o := verify.Options{Version: version, Policy: policy}
	if a.settings.GetBool("rebuild") || policy != nil && policy.Rebuild {
		if o.Rebuild, err = a.rebuilder(); err != nil {
			return err
		}
	}
	src, err := oci.Open(ctx, image, oci.OpenOptions{Insecure: a.settings.GetBool("insecure-registry"), MissingLayers: true})
	if errors.Is(err, oci.ErrMismatch) || errors.Is(err, oci.ErrMissing) {
		return gateError{err} // a manifest or config that is not what was signed, or not there
	}
	if err != nil {
		return err
	}
	defer src.Close()
	if verifier == nil {
		if verifier, err = policySigner(ctx, policy, src); err != nil {
			return err
		}
	}
	report, err := verify.Image(ctx, src, verifier, o)
	if err != nil {
		return fmt.Errorf("cannot verify %s: %w", image, err)
	}
	if a.json() {
		err = a.printJSON(report)
	} else {
		printReport(a.out, report)
	}
	if no := len(report.Refused()); err == nil && no > 0 {
		err = gateError{fmt.Errorf("%s: %d of %d questions are answered with no", image, no, len(report.Questions))}
	}
	return err
}

// publicKey loads the public key that --key names, which may be in a KMS.
func (a *app) publicKey(ctx context.Context) (*sign.Verifier, error) {
	if name := a.settings.GetString("key"); kms.IsReference(name) {
		verifier, err := kms.Verifier(ctx, name)
		return verifier, kmsError(err)
	}
	text, _, err := a.openKeyFile("name the public key of who signed with --key, or say who with --certificate-identity or --policy")
	if err != nil {
		return nil, err
	}
	verifier, err := sign.LoadVerifier(text)
	if err != nil {
		return nil, usagef("%s: %w", a.settings.GetString("key"), err)
	}
	return verifier, nil
}

// policy reads the file that --policy names, nil for none. Those whom it lets sign without
// a key count where --trusted-root says which authorities to believe.
func (a *app) policy() (*verify.Policy, error) {
	name := a.settings.GetString("policy")
	if name == "" {
		return nil, nil
	}
	file, err := specs.LoadPolicy(name)
	if err != nil {
		return nil, err
	}
	root, err := a.trustedRoot()
	if err != nil {
		return nil, err
	}
	var identities verify.Identities
	if root != nil {
		identities = func(identity, issuer string) (*sign.Verifier, error) {
			who := keyless.Identity{Name: identity, Issuer: issuer}
			if strings.Contains(identity, "*") {
				who.Name, who.NameRegexp = "", strings.ReplaceAll(regexp.QuoteMeta(identity), `\*`, `.*`)
			}
			judge, err := keyless.NewJudge(who, root)
			if err != nil {
				return nil, err
			}
			return sign.NewIdentityVerifier(judge), nil
		}
	}
	return verify.NewPolicy(file, identities)
}

// policySigner returns the signer of a policy that verifies an image where the call
// names no key.
func policySigner(ctx context.Context, policy *verify.Policy, src *oci.Source) (*sign.Verifier, error) {
	v, err := policy.Verifier(ctx, src)
	if err != nil {
		return nil, err
	}
	if v == nil {
		return nil, usageError{err: fmt.Errorf("no key is given, and %s has none", policy.File()), hint: "name a public key with --key, or in the policy with signers.keys"}
	}
	return v, nil
}

func printReport(w io.Writer, r *sign.Report) {
	by := "key " + r.Key
	if r.Identity != "" {
		by = "identity " + oneLine(r.Identity)
	}
	fmt.Fprintf(w, "%s\n%s\n", r.Image, by)
	for _, q := range r.Questions {
		answer := "no "
		switch {
		case q.Unanswered:
			answer = " - "
		case q.OK:
			answer = "yes"
		}
		kind := q.Kind
		if q.Type != "" {
			kind += " " + q.Type
		}
		fmt.Fprintf(w, "  %s  %-12s  %s: %s\n", answer, q.Subject.Name, oneLine(kind), oneLine(q.Answer))
	}
}
