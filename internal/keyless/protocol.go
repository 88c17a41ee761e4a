package keyless

// Program is the name of the program that does the work. It reads one [Request] as JSON
// and writes one [Response].
const Program = "hardpan-sigstore"

// Request is what [Program] is asked. One of the two is set.
type Request struct {
	Sign   *SignRequest   `json:"sign,omitempty"`
	Verify *VerifyRequest `json:"verify,omitempty"`
}

// SignRequest asks for a bundle of each in-toto statement.
type SignRequest struct {
	Statements  [][]byte `json:"statements"`
	Token       string   `json:"token"` // OIDC identity token
	Services    Services `json:"services"`
	TrustedRoot []byte   `json:"trustedRoot,omitempty"` // JSON; if there is one, the bundles are verified with it
}

// Services are the addresses of those who vouch for a signature.
type Services struct {
	Fulcio    string `json:"fulcio"`    // base URL
	Rekor     string `json:"rekor"`     // base URL; "" is no log
	Timestamp string `json:"timestamp"` // URL of the timestamp authority, with path; "" is none
}

// VerifyRequest asks for a verdict on each document.
type VerifyRequest struct {
	Documents   []Document `json:"documents"`
	TrustedRoot []byte     `json:"trustedRoot"` // JSON
	Who         Identity   `json:"who"`
}

// Document is what was signed, with what vouches for it: a sigstore bundle, or a layer
// under one of the tags that cosign has for signatures and attestations.
type Document struct {
	MediaType   string            `json:"mediaType"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Content     []byte            `json:"content"`
}

// Identity is whom to believe. Of each pair one is set; expressions are matched against
// the whole.
type Identity struct {
	Name         string `json:"name,omitempty"` // an email address or a URI, as in the certificate
	NameRegexp   string `json:"nameRegexp,omitempty"`
	Issuer       string `json:"issuer,omitempty"` // URL of the OIDC issuer
	IssuerRegexp string `json:"issuerRegexp,omitempty"`
}

// Response is what [Program] answers.
type Response struct {
	Bundles  [][]byte  `json:"bundles,omitempty"`
	Signer   string    `json:"signer,omitempty"` // whom the certificate of Bundles names
	Verdicts []Verdict `json:"verdicts,omitempty"`
	Error    string    `json:"error,omitempty"` // and nothing else
	Hint     string    `json:"hint,omitempty"`
}

// Verdict is about one document.
type Verdict struct {
	Signed []byte `json:"signed,omitempty"` // the statement, or the payload of a signature
	Signer string `json:"signer,omitempty"` // who, and when
	Reason Reason `json:"reason,omitempty"` // "" is a yes
	Error  string `json:"error,omitempty"`
}

// Reason is why a document is refused.
type Reason string

// The reasons.
const (
	Damaged   Reason = "damaged"
	Tampered  Reason = "tampered"
	Untrusted Reason = "untrusted"
	Another   Reason = "another identity"
)
