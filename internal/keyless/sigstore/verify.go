package sigstore

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/hardpan/hardpan/internal/keyless"
)

// readRoot reads a trusted root. One that nobody could be believed by is refused.
func readRoot(text []byte) (*root.TrustedRoot, error) {
	trusted, err := root.NewTrustedRootFromJSON(text)
	if err != nil {
		return nil, fmt.Errorf("trusted root: %w", err)
	}
	switch {
	case len(trusted.FulcioCertificateAuthorities()) == 0:
		return nil, errors.New("trusted root: it names no certificate authority, and so nobody can be trusted")
	case len(trusted.RekorLogs()) == 0 && len(trusted.TimestampingAuthorities()) == 0:
		return nil, errors.New("trusted root: it names neither a transparency log nor a timestamp authority, and so no time can be trusted")
	}
	return trusted, nil
}

// demands are what the trusted root can vouch for: an entry in a log if it names logs, a
// time in any case, and where it names certificate logs, that the certificate is in one.
func demands(trusted *root.TrustedRoot) []verify.VerifierOption {
	options := demandsButLog(trusted)
	if len(trusted.RekorLogs()) > 0 {
		options = append(options, verify.WithTransparencyLog(1))
	}
	return options
}

// demandsButLog are the demands on a document whose entry was verified by other means.
func demandsButLog(trusted *root.TrustedRoot) []verify.VerifierOption {
	options := []verify.VerifierOption{verify.WithObserverTimestamps(1)}
	if len(trusted.CTLogs()) > 0 {
		options = append(options, verify.WithSignedCertificateTimestamps(1))
	}
	return options
}

// judge returns a verdict on each document.
func judge(r *keyless.VerifyRequest) ([]keyless.Verdict, error) {
	trusted, err := readRoot(r.TrustedRoot)
	if err != nil {
		return nil, &hinted{err, "cosign trusted-root create makes one"}
	}
	who, err := newWho(r.Who)
	if err != nil {
		return nil, err
	}
	var list []keyless.Verdict
	for _, d := range r.Documents {
		list = append(list, verdict(trusted, who, d))
	}
	return list, nil
}

func verdict(trusted *root.TrustedRoot, who *who, from keyless.Document) keyless.Verdict {
	refuse := func(reason keyless.Reason, err error) keyless.Verdict {
		return keyless.Verdict{Reason: reason, Error: strings.Join(strings.Fields(err.Error()), " ")}
	}
	d, err := read(from)
	if err != nil {
		return refuse(keyless.Damaged, err)
	}
	content, err := d.bundle.VerificationContent()
	if err != nil {
		return refuse(keyless.Damaged, fmt.Errorf("the certificate is not of its form: %w", err))
	}
	if content.Certificate() == nil {
		return refuse(keyless.Another, errors.New("it is signed with a key, and no certificate says whose that is"))
	}
	if err := d.logged(trusted); err != nil {
		return refuse(keyless.Untrusted, err)
	}
	// The subject of a statement is compared by the caller, and the identity below.
	result, err := d.verify(trusted)
	if err != nil {
		return refuse(reasonOf(err))
	}
	if result.Signature == nil || result.Signature.Certificate == nil || len(result.VerifiedTimestamps) == 0 {
		return refuse(keyless.Untrusted, errors.New("no certificate or no time was verified"))
	}
	if err := who.check(*result.Signature.Certificate); err != nil {
		return refuse(keyless.Another, err)
	}
	at := result.VerifiedTimestamps[0].Timestamp.UTC().Format(time.RFC3339)
	return keyless.Verdict{Signed: d.signed, Signer: nameOf(*result.Signature.Certificate) + " at " + at}
}

// failedLog begins the library's error about an entry of a transparency log.
const failedLog = "failed to verify log inclusion: "

// reasonOf says in our words at which step the library refused. It has no errors of its
// own for them, but their beginnings.
func reasonOf(err error) (keyless.Reason, error) {
	for _, step := range []struct {
		begins string
		reason keyless.Reason
		words  string
	}{
		{failedLog, keyless.Untrusted, "the entry of the transparency log does not verify"},
		{"failed to verify timestamps: ", keyless.Untrusted, "no time of signing is vouched for"},
		{"failed to verify leaf certificate: ", keyless.Untrusted, "the certificate is not of an authority that the trusted root names, or was not valid when it was signed"},
		{"failed to verify signed certificate timestamp: ", keyless.Untrusted, "the certificate is in no log that the trusted root names"},
		{"failed to verify signature: ", keyless.Tampered, "the certificate's key does not verify it"},
	} {
		if rest, ok := strings.CutPrefix(err.Error(), step.begins); ok {
			return step.reason, fmt.Errorf("%s (%s)", step.words, strings.TrimPrefix(rest, ": "))
		}
	}
	return keyless.Untrusted, err
}

// who is an identity to look for.
type who struct {
	want         keyless.Identity
	name, issuer *regexp.Regexp // nil for an exact one
}

func newWho(want keyless.Identity) (*who, error) {
	w := &who{want: want}
	if (want.Name == "") == (want.NameRegexp == "") || (want.Issuer == "") == (want.IssuerRegexp == "") {
		return nil, errors.New("expected one identity and one issuer")
	}
	for _, c := range []struct {
		pattern string
		to      **regexp.Regexp
	}{{want.NameRegexp, &w.name}, {want.IssuerRegexp, &w.issuer}} {
		if c.pattern == "" {
			continue
		}
		compiled, err := regexp.Compile("^(?:" + c.pattern + ")$")
		if err != nil {
			return nil, err
		}
		*c.to = compiled
	}
	return w, nil
}

// check compares a certificate that was verified.
func (w *who) check(is certificate.Summary) error {
	matches := func(exact string, pattern *regexp.Regexp, value string) bool {
		if pattern != nil {
			return pattern.MatchString(value)
		}
		return value == exact
	}
	if !matches(w.want.Name, w.name, is.SubjectAlternativeName) {
		return fmt.Errorf("it is signed by %.200q, expected %.200q", is.SubjectAlternativeName, w.want.Name+w.want.NameRegexp)
	}
	if !matches(w.want.Issuer, w.issuer, is.Issuer) {
		return fmt.Errorf("the identity is vouched for by %.200q, expected the issuer %.200q", is.Issuer, w.want.Issuer+w.want.IssuerRegexp)
	}
	return nil
}
