package sigstore

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	sigsign "github.com/sigstore/sigstore-go/pkg/sign"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/hardpan/hardpan/internal/keyless"
)

const (
	payloadInToto = "application/vnd.in-toto+json"

	timeout = 30 * time.Second // of one request to a service
	retries = 2                // after a 5xx status
)

// sign makes a key, has it certified once, and signs each statement with it.
func sign(ctx context.Context, r *keyless.SignRequest) (bundles [][]byte, signer string, err error) {
	key, err := sigsign.NewEphemeralKeypair(nil)
	if err != nil {
		return nil, "", fmt.Errorf("cannot make a key: %w", err)
	}
	authority := &onceCertified{from: sigsign.NewFulcio(&sigsign.FulcioOptions{BaseURL: r.Services.Fulcio, Timeout: timeout, Retries: retries})}
	options := sigsign.BundleOptions{
		Context: ctx, CertificateProvider: authority, CertificateProviderOptions: &sigsign.CertificateProviderOptions{IDToken: r.Token},
	}
	if r.Services.Rekor != "" {
		log := sigsign.NewRekor(&sigsign.RekorOptions{BaseURL: r.Services.Rekor, Timeout: timeout, Retries: retries})
		options.TransparencyLogs = append(options.TransparencyLogs, namedLog{log, r.Services.Rekor})
	}
	var timestamps *sigsign.TimestampAuthority
	if r.Services.Timestamp != "" {
		timestamps = sigsign.NewTimestampAuthority(&sigsign.TimestampAuthorityOptions{URL: r.Services.Timestamp, Timeout: timeout, Retries: retries})
		options.TimestampAuthorities = append(options.TimestampAuthorities, timestamps)
	}
	var verifier *verify.Verifier
	if len(r.TrustedRoot) > 0 {
		trusted, err := readRoot(r.TrustedRoot)
		if err != nil {
			return nil, "", err
		}
		if verifier, err = verify.NewVerifier(trusted, demands(trusted)...); err != nil {
			return nil, "", fmt.Errorf("trusted root: %w", err)
		}
	}
	for _, statement := range r.Statements {
		made, err := sigsign.Bundle(&sigsign.DSSEData{Data: statement, PayloadType: payloadInToto}, key, options)
		if err != nil {
			return nil, "", explain(err, r.Services)
		}
		if err := verifyOwn(verifier, made); err != nil {
			return nil, "", &hinted{fmt.Errorf("what was signed does not verify: %w", err), "the trusted root must be that of these services"}
		}
		text, err := protojson.Marshal(made)
		if err != nil {
			return nil, "", err
		}
		bundles = append(bundles, text)
	}
	return bundles, authority.signer, nil
}

// verifyOwn verifies a bundle that was just made, where there is a trusted root.
func verifyOwn(v *verify.Verifier, made *protobundle.Bundle) error {
	if v == nil {
		return nil
	}
	b, err := bundle.NewBundle(made)
	if err != nil {
		return err
	}
	_, err = v.Verify(b, verify.NewPolicy(verify.WithoutArtifactUnsafe(), verify.WithoutIdentitiesUnsafe()))
	return err
}

// serviceError is that of the service that failed.
type serviceError struct {
	error
	service string
}

func (e serviceError) Unwrap() error { return e.error }

// explain says which service failed and what to do.
func explain(err error, s keyless.Services) error {
	service := "the timestamp authority " + s.Timestamp // the only one that does not say so itself
	if failed, ok := errors.AsType[serviceError](err); ok {
		service = failed.service
	}
	return &hinted{fmt.Errorf("%s: %w", service, err), "nothing was published and no tag was moved; sign again when the service answers and the token is fresh"}
}

// onceCertified asks for one certificate, however many statements are signed.
type onceCertified struct {
	from        *sigsign.Fulcio
	certificate []byte
	signer      string
}

func (o *onceCertified) GetCertificate(ctx context.Context, key sigsign.Keypair, options *sigsign.CertificateProviderOptions) ([]byte, error) {
	if o.certificate != nil {
		return o.certificate, nil
	}
	der, err := o.from.GetCertificate(ctx, key, options)
	if err != nil {
		return nil, serviceError{err, "the certificate authority"}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, serviceError{fmt.Errorf("cannot read the certificate: %w", err), "the certificate authority"}
	}
	is, err := certificate.SummarizeCertificate(parsed)
	if err != nil {
		return nil, serviceError{fmt.Errorf("cannot read the certificate: %w", err), "the certificate authority"}
	}
	o.certificate, o.signer = der, nameOf(is)
	return der, nil
}

func nameOf(c certificate.Summary) string {
	return fmt.Sprintf("%s of %s", c.SubjectAlternativeName, c.Issuer)
}

// namedLog says in errors that it is the log.
type namedLog struct {
	sigsign.Transparency
	url string
}

func (l namedLog) GetTransparencyLogEntry(ctx context.Context, pem []byte, b *protobundle.Bundle) error {
	err := l.Transparency.GetTransparencyLogEntry(ctx, pem, b)
	if err != nil && strings.Contains(err.Error(), "is not supported by the") { // what go-openapi says of a proxy's page
		err = errors.New("it answered with an error, and not in JSON as Rekor does")
	}
	if err != nil {
		return serviceError{err, "the transparency log " + l.url}
	}
	return nil
}
