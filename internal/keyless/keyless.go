package keyless

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/sign"
)

// Signer signs for the identity of a token. It implements [sign.Certified].
type Signer struct {
	Services    Services
	TrustedRoot []byte // unless nil, what is signed is verified before it is used
	// Token returns the identity token. It is asked for each time something is signed.
	Token func(ctx context.Context) (string, error)

	signer string
}

// NewSigner returns a signer, or an error about addresses that are no good: a token goes
// there, so that they are https, or loopback.
func NewSigner(s Services, token func(context.Context) (string, error), trustedRoot []byte) (*Signer, error) {
	if s.Fulcio == "" {
		return nil, errors.New("no certificate authority: the URL of Fulcio is empty")
	}
	if s.Rekor == "" && s.Timestamp == "" {
		return nil, hinted{errors.New("neither a transparency log nor a timestamp authority: nothing would say when it was signed"),
			"name one with --rekor-url or --timestamp-url"}
	}
	for name, address := range map[string]string{"Fulcio": s.Fulcio, "Rekor": s.Rekor, "the timestamp authority": s.Timestamp} {
		if address == "" {
			continue
		}
		if err := checkURL(address); err != nil {
			return nil, fmt.Errorf("URL of %s: %w", name, err)
		}
	}
	return &Signer{Services: s, Token: token, TrustedRoot: trustedRoot}, nil
}

func checkURL(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("%.200q, expected one like https://fulcio.example.com", address)
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%.200q is plain http, expected https", address)
	}
	return nil
}

// Sign puts each statement into a bundle. On an error nothing is signed that could be
// used.
func (s *Signer) Sign(ctx context.Context, statements [][]byte) ([][]byte, error) {
	token, err := s.Token(ctx)
	if err != nil {
		return nil, err
	}
	services := s.Services
	services.Fulcio, services.Rekor = strings.TrimSuffix(services.Fulcio, "/"), strings.TrimSuffix(services.Rekor, "/")
	answer, err := ask(ctx, Request{Sign: &SignRequest{Statements: statements, Token: token, Services: services, TrustedRoot: s.TrustedRoot}})
	if err != nil {
		return nil, redact(err, token)
	}
	if len(answer.Bundles) != len(statements) {
		return nil, fmt.Errorf("%s returned %d bundles of %d", Program, len(answer.Bundles), len(statements))
	}
	s.signer = answer.Signer
	return answer.Bundles, nil
}

// String says who signed, as the certificate names it; before that, nothing is known.
func (s *Signer) String() string {
	if s.signer == "" {
		return "the identity of the token"
	}
	return s.signer
}

// Judge believes what an identity signed. It implements [sign.Judge].
type Judge struct {
	TrustedRoot []byte // JSON, trustroot.proto
	Who         Identity
}

// NewJudge returns a judge, or an error about a question that nobody could answer.
func NewJudge(who Identity, trustedRoot []byte) (*Judge, error) {
	for _, c := range []struct{ what, exact, pattern string }{
		{"certificate-identity", who.Name, who.NameRegexp}, {"certificate-oidc-issuer", who.Issuer, who.IssuerRegexp},
	} {
		switch {
		case c.exact == "" && c.pattern == "":
			return nil, fmt.Errorf("no --%s is given", c.what)
		case c.exact != "" && c.pattern != "":
			return nil, fmt.Errorf("--%s and --%s-regexp are given, expected one", c.what, c.what)
		}
		if _, err := regexp.Compile(c.pattern); err != nil {
			return nil, fmt.Errorf("--%s-regexp: %w", c.what, err)
		}
	}
	return &Judge{TrustedRoot: trustedRoot, Who: who}, nil
}

// String says whom the judge believes.
func (j *Judge) String() string {
	or := func(exact, pattern string) string {
		if exact != "" {
			return exact
		}
		return "~" + pattern
	}
	return fmt.Sprintf("%s of %s", or(j.Who.Name, j.Who.NameRegexp), or(j.Who.Issuer, j.Who.IssuerRegexp))
}

var reasons = map[Reason]error{Damaged: sign.ErrDamaged, Tampered: sign.ErrTampered, Untrusted: sign.ErrUntrusted, Another: sign.ErrIdentity}

// Judge returns a verdict on each document.
func (j *Judge) Judge(ctx context.Context, documents []oci.Document) ([]sign.Verdict, error) {
	request := VerifyRequest{TrustedRoot: j.TrustedRoot, Who: j.Who}
	for _, d := range documents {
		request.Documents = append(request.Documents, Document{MediaType: d.MediaType, Annotations: d.Annotations, Content: d.Content})
	}
	answer, err := ask(ctx, Request{Verify: &request})
	if err != nil {
		return nil, err
	}
	if len(answer.Verdicts) != len(documents) {
		return nil, fmt.Errorf("%s returned %d verdicts on %d documents", Program, len(answer.Verdicts), len(documents))
	}
	var list []sign.Verdict
	for _, v := range answer.Verdicts {
		if v.Reason == "" && v.Error == "" {
			list = append(list, sign.Verdict{Signed: v.Signed, Signer: v.Signer})
			continue
		}
		reason, ok := reasons[v.Reason]
		if !ok {
			reason = sign.ErrUntrusted
		}
		list = append(list, sign.Verdict{Err: fmt.Errorf("%w: %s", reason, v.Error)})
	}
	return list, nil
}

// hinted is an error that knows what to do next.
type hinted struct {
	error
	hint string
}

func (e hinted) Unwrap() error { return e.error }

// Hint says what to do about the error.
func (e hinted) Hint() string { return e.hint }
