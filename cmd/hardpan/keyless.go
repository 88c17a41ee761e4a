package main

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/pflag"

	"github.com/hardpan/hardpan/builder"
	"github.com/hardpan/hardpan/internal/keyless"
	"github.com/hardpan/hardpan/internal/sign"
)

// The services of the sigstore project, which anybody may use and read.
const (
	publicFulcio = "https://fulcio.sigstore.dev"
	publicRekor  = "https://rekor.sigstore.dev"
)

// keylessFlags adds the flags that say how to sign without a key. cosign has the same
// names, but for --keyless: it signs so unless it is given a key.
func keylessFlags(flags *pflag.FlagSet) {
	flags.Bool("keyless", false, "sign for the identity of an OIDC token, which goes into the certificate and the log")
	flags.String("identity-token", "", "`file` of the token (default: SIGSTORE_ID_TOKEN, or that of the GitHub Actions job); implies --keyless")
	flags.String("fulcio-url", publicFulcio, "`URL` of the certificate authority")
	flags.String("rekor-url", publicRekor, "`URL` of the transparency log; \"\" is none")
	flags.String("timestamp-url", "", "`URL` of a timestamp authority, with its path")
	trustedRootFlag(flags, "verify what is signed with the trusted root in this `file` before it is published")
}

func trustedRootFlag(flags *pflag.FlagSet, usage string) { flags.String("trusted-root", "", usage) }

// identityFlags adds the flags that say whom to believe, as cosign has them.
func identityFlags(flags *pflag.FlagSet) {
	flags.String("certificate-identity", "", "`name` of who must have signed: an email address or a URI, such as that of a workflow")
	flags.String("certificate-identity-regexp", "", "regular `expression` that must match the whole name")
	flags.String("certificate-oidc-issuer", "", "`URL` of the issuer that must vouch for the name")
	flags.String("certificate-oidc-issuer-regexp", "", "regular `expression` that must match the whole URL")
	trustedRootFlag(flags, "`file` with the trusted root: the authorities and logs to believe")
}

// isKeyless reports whether the call asks to sign without a key.
func (a *app) isKeyless() bool {
	return a.settings.GetBool("keyless") || a.settings.GetString("identity-token") != ""
}

// keylessSigner returns who signs without a key.
func (a *app) keylessSigner() (*sign.Signer, error) {
	s := a.settings
	if s.GetString("key") != "" {
		return nil, usagef("--key and --keyless or --identity-token are given, expected one of them")
	}
	if err := refuseCoreFiles(); err != nil { // which would hold the token
		return nil, err
	}
	root, err := a.trustedRoot()
	if err != nil {
		return nil, err
	}
	signer, err := keyless.NewSigner(keyless.Services{
		Fulcio: s.GetString("fulcio-url"), Rekor: s.GetString("rekor-url"), Timestamp: s.GetString("timestamp-url"),
	}, keyless.TokenFrom(s.GetString("identity-token"), os.Getenv), root)
	if err != nil {
		return nil, usageError{err: err}
	}
	return sign.NewCertifiedSigner(signer), nil
}

// keylessBuild returns who signs what is built without a key. Nothing is kept of it. That
// there is a token is known before the image is; the one that is used is a fresh one.
func (a *app) keylessBuild(ctx context.Context) (*builder.Signer, error) {
	signer, err := a.keylessSigner()
	if err != nil {
		return nil, err
	}
	token := keyless.TokenFrom(a.settings.GetString("identity-token"), os.Getenv)
	return &builder.Signer{Bundles: true, Open: func() (builder.Key, error) {
		_, err := token(ctx)
		return buildKey{signer, true}, err
	}}, nil
}

// trustedRoot reads the file of --trusted-root, or nothing where there is none.
func (a *app) trustedRoot() ([]byte, error) {
	name := a.settings.GetString("trusted-root")
	if name == "" {
		return nil, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, usagef("cannot read the trusted root: %w", err)
	}
	return text, nil
}

// identity returns whom the call expects to have signed without a key.
func (a *app) identity() keyless.Identity {
	s := a.settings
	return keyless.Identity{
		Name: s.GetString("certificate-identity"), NameRegexp: s.GetString("certificate-identity-regexp"),
		Issuer: s.GetString("certificate-oidc-issuer"), IssuerRegexp: s.GetString("certificate-oidc-issuer-regexp"),
	}
}

// namesSigner reports whether the call says who must have signed.
func (a *app) namesSigner() bool {
	return a.settings.GetString("key") != "" || a.identity() != keyless.Identity{}
}

// verifier returns whom the call believes: a key, or an identity.
func (a *app) verifier(ctx context.Context) (*sign.Verifier, error) {
	s, who := a.settings, a.identity()
	isKey, isIdentity := s.GetString("key") != "", who != keyless.Identity{}
	switch {
	case isKey && isIdentity:
		return nil, usagef("--key and --certificate-identity or --certificate-oidc-issuer are given, expected one of them")
	case isKey, !isIdentity && s.GetString("trusted-root") == "":
		return a.publicKey(ctx)
	}
	root, err := a.trustedRoot()
	if err != nil {
		return nil, err
	}
	if root == nil {
		return nil, usageError{err: errors.New("no trusted root is given"), hint: "name its file with --trusted-root; cosign trusted-root create makes one"}
	}
	judge, err := keyless.NewJudge(who, root)
	if err != nil {
		return nil, usageError{err: err}
	}
	return sign.NewIdentityVerifier(judge), nil
}
