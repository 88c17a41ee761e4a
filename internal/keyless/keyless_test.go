package keyless_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hardpan/hardpan/internal/keyless"
	"github.com/hardpan/hardpan/internal/keyless/keylesstest"
	"github.com/hardpan/hardpan/internal/keyless/sigstore"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/sign"
	"github.com/hardpan/hardpan/internal/sign/signtest"
)

// TestMain makes this binary the program that does the work, too.
func TestMain(m *testing.M) {
	os.Exit(signtest.Main(m, keyless.Program, func() {
		if err := sigstore.Serve(context.Background(), os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
	}))
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func authority(t testing.TB) *keylesstest.Authority {
	t.Helper()
	a, err := keylesstest.New()
	check(t, err)
	t.Cleanup(a.Close)
	return a
}

const (
	email  = "ci@example.com"
	issuer = "https://issuer.example.com"
)

var statement = []byte(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"` + strings.Repeat("a", 64) + `"}}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}`)

func give(token string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return token, nil }
}

func services(a *keylesstest.Authority) keyless.Services {
	return keyless.Services{Fulcio: a.Fulcio + "/", Rekor: a.Rekor, Timestamp: a.Timestamp}
}

// signWith signs the statement and returns its bundle.
func signWith(t testing.TB, s keyless.Services) []byte {
	t.Helper()
	signer, err := keyless.NewSigner(s, give(keylesstest.Token(email, issuer)), nil)
	check(t, err)
	bundles, err := signer.Sign(t.Context(), [][]byte{statement})
	check(t, err)
	if signer.String() != email+" of "+issuer {
		t.Errorf("signed by %s", signer)
	}
	return bundles[0]
}

var ci = keyless.Identity{Name: email, Issuer: issuer}

func judge(t testing.TB, who keyless.Identity, root []byte, bundles ...[]byte) []sign.Verdict {
	t.Helper()
	var documents []oci.Document
	for _, b := range bundles {
		documents = append(documents, oci.Document{Content: b})
	}
	return judgeDocuments(t, who, root, documents...)
}

// What is signed with a log, with a timestamp authority or with both is verified without
// the network.
func TestSigned(t *testing.T) {
	t.Parallel()
	a := authority(t)
	both := services(a)
	log, stamp := both, both
	log.Timestamp, stamp.Rekor = "", ""
	cases := []struct {
		name    string
		with    keyless.Services
		roots   [][]byte
		refused []byte // a root that this is too little for
	}{
		{"both", both, [][]byte{a.Root, a.TimestampRoot}, nil},
		{"log", log, [][]byte{a.Root}, a.TimestampRoot},
		{"timestamp", stamp, [][]byte{a.TimestampRoot}, a.Root},
	}
	bundles := map[string][]byte{}
	for _, c := range cases {
		bundles[c.name] = signWith(t, c.with)
	}
	requests := a.Requests()
	for _, c := range cases {
		for _, root := range c.roots {
			for _, who := range []keyless.Identity{ci, {NameRegexp: ".*@example[.]com", Issuer: issuer}, {Name: email, IssuerRegexp: "https://issuer.*"}} {
				v := judge(t, who, root, bundles[c.name])[0]
				if v.Err != nil || string(v.Signed) != string(statement) || !strings.HasPrefix(v.Signer, email+" of "+issuer+" at 2") {
					t.Errorf("%s: %+v", c.name, v)
				}
			}
		}
		if c.refused != nil {
			if v := judge(t, ci, c.refused, bundles[c.name])[0]; !errors.Is(v.Err, sign.ErrUntrusted) || v.Signed != nil {
				t.Errorf("%s: %+v", c.name, v)
			}
		}
	}
	if n := a.Requests() - requests; n != 0 {
		t.Errorf("verification made %d requests", n)
	}
}

// edit returns a bundle with a change.
func edit(t testing.TB, text []byte, change func(material, envelope map[string]any)) []byte {
	t.Helper()
	var b map[string]any
	check(t, json.Unmarshal(text, &b))
	change(b["verificationMaterial"].(map[string]any), b["dsseEnvelope"].(map[string]any))
	out, err := json.Marshal(b)
	check(t, err)
	return out
}

// Each way in which a bundle is not what it should be has a message of its own.
func TestRefused(t *testing.T) {
	t.Parallel()
	a, other := authority(t), authority(t)
	good := signWith(t, services(a))
	expired := authority(t)
	expired.CertificateAge = time.Hour
	logOnly := services(expired)
	logOnly.Timestamp = ""
	entry := func(change func(e map[string]any)) []byte {
		return edit(t, good, func(m, _ map[string]any) { change(m["tlogEntries"].([]any)[0].(map[string]any)) })
	}
	cases := []struct {
		name   string
		who    keyless.Identity
		root   []byte
		bundle []byte
		err    error
		want   string
	}{
		{"wrong identity", keyless.Identity{Name: "someone@example.com", Issuer: issuer}, a.Root, good, sign.ErrIdentity,
			`signed by another identity: it is signed by "ci@example.com", expected "someone@example.com"`},
		{"identity that the expression is only a part of", keyless.Identity{NameRegexp: "ci@example", Issuer: issuer}, a.Root, good, sign.ErrIdentity, `expected "ci@example"`},
		{"wrong issuer", keyless.Identity{Name: email, Issuer: "https://another.example.com"}, a.Root, good, sign.ErrIdentity,
			`the identity is vouched for by "https://issuer.example.com", expected the issuer "https://another.example.com"`},
		{"wrong root", ci, other.Root, good, sign.ErrUntrusted, "not vouched for: the entry is of no transparency log that the trusted root names"},
		{"wrong root of timestamps", ci, other.TimestampRoot, good, sign.ErrUntrusted, "not vouched for: no time of signing is vouched for"},
		{"no log entry", ci, a.Root, edit(t, good, func(m, _ map[string]any) { delete(m, "tlogEntries") }), sign.ErrUntrusted, "there is no entry of a transparency log"},
		{"no log entry, and none is asked for", ci, a.TimestampRoot, edit(t, good, func(m, _ map[string]any) { delete(m, "tlogEntries") }), nil, ""},
		{"neither log entry nor timestamp", ci, a.TimestampRoot, edit(t, good, func(m, _ map[string]any) {
			delete(m, "tlogEntries")
			delete(m, "timestampVerificationData")
		}), sign.ErrUntrusted, "no time of signing is vouched for"},
		{"changed log entry", ci, a.Root, entry(func(e map[string]any) { e["integratedTime"] = "1700000000" }), sign.ErrUntrusted, "the entry of the transparency log does not verify"},
		{"log entry of another signature", ci, a.Root, edit(t, good, func(m, _ map[string]any) {
			edit(t, signWith(t, services(a)), func(n, _ map[string]any) { m["tlogEntries"] = n["tlogEntries"] })
		}), sign.ErrUntrusted, "the entry of the transparency log does not verify"},
		{"expired certificate", ci, expired.Root, signWith(t, logOnly), sign.ErrUntrusted, "the entry of the transparency log does not verify (integrated time outside certificate validity)"},
		{"expired certificate with timestamp", ci, expired.TimestampRoot, signWith(t, services(expired)), sign.ErrUntrusted, "the certificate is not of an authority that the trusted root names, or was not valid when it was signed"},
		{"certificate of another", ci, a.TimestampRoot, edit(t, good, func(m, _ map[string]any) {
			edit(t, signWith(t, services(other)), func(n, _ map[string]any) { m["certificate"] = n["certificate"] })
		}), sign.ErrUntrusted, "the certificate is not of an authority that the trusted root names"},
		{"certificate of another key", ci, a.TimestampRoot, edit(t, good, func(m, _ map[string]any) {
			edit(t, signWith(t, services(a)), func(n, _ map[string]any) { m["certificate"] = n["certificate"] })
		}), sign.ErrTampered, "the certificate's key does not verify it"},
		{"changed statement", ci, a.TimestampRoot, edit(t, good, func(_, e map[string]any) { e["payload"] = "e30=" }), sign.ErrTampered, "the certificate's key does not verify it"},
		{"a key", ci, a.TimestampRoot, edit(t, good, func(m, _ map[string]any) { clear(m); m["publicKey"] = map[string]any{"hint": "x"} }), sign.ErrIdentity, "it is signed with a key"},
		{"no bundle", ci, a.Root, []byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}`), sign.ErrDamaged, "the bundle is not of its form"},
		{"no JSON", ci, a.Root, []byte("x"), sign.ErrDamaged, "the bundle is not of its form"},
	}
	var asked []question
	for _, c := range cases {
		asked = append(asked, question{call{c.who, string(c.root)}, oci.Document{Content: c.bundle}})
	}
	verdicts := judgeEach(t, asked)
	for i, c := range cases {
		v := verdicts[i]
		switch {
		case c.err == nil && v.Err == nil:
		case !errors.Is(v.Err, c.err) || v.Signed != nil:
			t.Errorf("%s: %+v", c.name, v)
		case !strings.Contains(v.Err.Error(), c.want) || strings.Contains(v.Err.Error(), "\n"):
			t.Errorf("%s: %v, want %s", c.name, v.Err, c.want)
		}
	}
}

// Neither an attestation whose bundle is written so that another reader sees nothing in
// it, and which is said to be the signature, nor a signature of another image is one.
func TestNoSignature(t *testing.T) {
	t.Parallel()
	a := authority(t)
	signer, err := keyless.NewSigner(services(a), give(keylesstest.Token(email, issuer)), nil)
	check(t, err)
	const bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json"
	for _, c := range []struct {
		kind   string
		change func(bundle string) string
		want   error
	}{
		{sign.SignatureType, func(b string) string { return b }, nil},
		{"https://spdx.dev/Document", func(b string) string { return b }, sign.ErrNoSignature},
		{"https://spdx.dev/Document", func(b string) string { return strings.Replace(b, `"dsseEnvelope"`, `"dsse_envelope"`, 1) }, sign.ErrDamaged},
		{"another image", func(b string) string { return b }, sign.ErrReplayed},
	} {
		ref := signtest.Push(t, "app")
		src, err := oci.Open(t.Context(), ref, oci.OpenOptions{})
		check(t, err)
		defer src.Close()
		digest, kind := src.Digest.Hex(), c.kind
		if kind == "another image" {
			digest, kind = strings.Repeat("b", 64), sign.SignatureType
		}
		bundles, err := signer.Sign(t.Context(), [][]byte{[]byte(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"` + digest + `"}}],"predicateType":"` + kind + `","predicate":{}}`)})
		check(t, err)
		artifact, err := src.NewReferrer(src.Digest, bundleType, map[string]string{"dev.sigstore.bundle.predicateType": sign.SignatureType},
			oci.Document{MediaType: bundleType, Content: []byte(c.change(string(bundles[0])))})
		check(t, err)
		check(t, src.Attach(t.Context(), []*oci.Artifact{artifact}))
		for _, q := range verified(t, ref, ci, a.Root).Questions {
			if q.Subject.Name == sign.IndexName && q.Kind == "signature" && (!errors.Is(q.Err, c.want) || q.OK != (c.want == nil)) {
				t.Errorf("%s: %s, want %v", c.kind, q.Answer, c.want)
			}
		}
	}
}

// What others sign beside is no harm: where there is the same of whom one believes nothing
// is said of it, else it is told and not taken.
func TestOthers(t *testing.T) {
	t.Parallel()
	a, b := authority(t), authority(t)
	ref := signtest.Push(t, "app")
	for _, c := range []struct {
		by          *keylesstest.Authority
		who         string
		predicateOf string
	}{{a, email, "https://spdx.dev/Document"}, {a, "other@example.com", "https://spdx.dev/Document"}, {b, email, "https://spdx.dev/Document"}, {b, email, "https://example.com/v1"}} {
		src, err := oci.Open(t.Context(), ref, oci.OpenOptions{})
		check(t, err)
		defer src.Close()
		signer, err := keyless.NewSigner(services(c.by), give(keylesstest.Token(c.who, issuer)), c.by.Root)
		check(t, err)
		set := sign.NewSet(src, sign.NewCertifiedSigner(signer), "")
		check(t, set.Attest(sign.IndexName, c.predicateOf, []byte("{}")))
		artifacts, err := set.Artifacts(t.Context())
		check(t, err)
		check(t, src.Attach(t.Context(), artifacts))
	}
	r := verified(t, ref, ci, a.Root)
	if refused := r.Refused(); len(refused) > 0 {
		t.Errorf("refused %v", refused)
	}
	told := 0
	for _, q := range r.Questions {
		if q.Type == "https://example.com/v1" && q.Unanswered && q.Predicate == nil && strings.HasPrefix(q.Answer, "not taken: ") {
			told++
		}
	}
	if told != 1 {
		t.Errorf("what another authority attests is told %d times: %v", told, r.Questions)
	}
}

// Without a key there is nothing to tell whose the signatures are that an image has. A new
// one stands in place of those that name nothing else but types that it names, too.
func TestSignedAgain(t *testing.T) {
	t.Parallel()
	const spdx, scan = "https://spdx.dev/Document", "https://cosign.sigstore.dev/attestation/vuln/v1"
	a := authority(t)
	ref := signtest.Push(t, "app")
	for i, c := range []struct {
		attested map[string]string
		want     string // of the index
	}{
		{map[string]string{spdx: `{"n":1}`}, "yes spdx 1"},
		{map[string]string{spdx: `{"n":2}`}, "yes spdx 2, - spdx"},
		{map[string]string{scan: `{"n":3}`}, "yes vuln 3, yes spdx 2, - spdx"},
		{map[string]string{scan: `{"n":4}`}, "yes vuln 4, yes spdx 2, - vuln, - spdx"},
		{map[string]string{scan: `{"n":5}`, spdx: `{"n":5}`}, "yes vuln 5, yes spdx 5, - vuln, - spdx"},
	} {
		src, err := oci.Open(t.Context(), ref, oci.OpenOptions{})
		check(t, err)
		defer src.Close()
		signer, err := keyless.NewSigner(services(a), give(keylesstest.Token(email, issuer)), a.Root)
		check(t, err)
		set := sign.NewSet(src, sign.NewCertifiedSigner(signer), "")
		for kind, text := range c.attested {
			check(t, set.Attest(sign.IndexName, kind, []byte(text)))
		}
		artifacts, err := set.Artifacts(t.Context())
		check(t, err)
		check(t, src.Attach(t.Context(), artifacts))
		var got []string
		for _, q := range verified(t, ref, ci, a.Root).Questions {
			kind := map[string]string{spdx: "spdx", scan: "vuln"}[q.Type]
			switch {
			case !q.OK:
				t.Errorf("signed %d times: %s of %s: %s", i+1, q.Kind, q.Subject.Name, q.Answer)
			case q.Unanswered:
				got = append(got, "- "+kind)
			case kind != "":
				got = append(got, "yes "+kind+" "+strings.Trim(string(q.Predicate), `{"n:}`))
			}
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("signed %d times: %s, want %s", i+1, strings.Join(got, ", "), c.want)
		}
	}
}

// A service that fails is named, nothing is signed, and the token is in no error.
func TestServiceFails(t *testing.T) {
	t.Parallel()
	token := keylesstest.Token(email, issuer)
	for service, want := range map[string]string{
		"fulcio": "the certificate authority: Fulcio returned 403", "rekor": "the transparency log http://127.0.0.1:", "timestamp": "the timestamp authority http://127.0.0.1:",
	} {
		a := authority(t)
		a.Fail = func(s string) (int, string) {
			if s == service {
				return http.StatusForbidden, "not you: " + token
			}
			return 0, ""
		}
		signer, err := keyless.NewSigner(services(a), give(token), nil)
		check(t, err)
		bundles, err := signer.Sign(t.Context(), [][]byte{statement})
		if err == nil || bundles != nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", service, err)
			continue
		}
		if strings.Contains(err.Error(), token) {
			t.Errorf("%s: the token is in %v", service, err)
		}
		var h interface{ Hint() string }
		if !errors.As(err, &h) || !strings.Contains(h.Hint(), "no tag was moved") {
			t.Errorf("%s: no hint in %v", service, err)
		}
	}
	a, other := authority(t), authority(t)
	signer, err := keyless.NewSigner(services(a), give(token), other.Root)
	check(t, err)
	if _, err := signer.Sign(t.Context(), [][]byte{statement}); err == nil || !strings.Contains(err.Error(), "what was signed does not verify") {
		t.Errorf("signed with another's root: %v", err)
	}
}

// Without the program it is said what is missing and where it goes.
func TestNoProgram(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	j, err := keyless.NewJudge(ci, nil)
	check(t, err)
	_, err = j.Judge(t.Context(), make([]oci.Document, 1))
	var h interface{ Hint() string }
	if !errors.Is(err, keyless.ErrNoProgram) || !errors.As(err, &h) || !strings.Contains(h.Hint(), "beside hardpan or into PATH") {
		t.Errorf("without the program: %v", err)
	}
}

// Addresses, identities and roots that are no good are refused before anything is asked.
func TestCalls(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		services keyless.Services
		want     string
	}{
		{keyless.Services{Rekor: "https://r"}, "no certificate authority"},
		{keyless.Services{Fulcio: "https://f"}, "neither a transparency log nor a timestamp authority"},
		{keyless.Services{Fulcio: "http://f.example.com", Rekor: "https://r"}, `URL of Fulcio: "http://f.example.com" is plain http`},
		{keyless.Services{Fulcio: "https://f", Rekor: "r.example.com"}, `URL of Rekor: "r.example.com", expected one like`},
		{keyless.Services{Fulcio: "https://f", Timestamp: "ftp://t"}, `URL of the timestamp authority: "ftp://t"`},
	} {
		if _, err := keyless.NewSigner(c.services, give(""), nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
	for _, c := range []struct {
		who  keyless.Identity
		want string
	}{
		{keyless.Identity{Issuer: "i"}, "no --certificate-identity is given"},
		{keyless.Identity{Name: "n"}, "no --certificate-oidc-issuer is given"},
		{keyless.Identity{Name: "n", NameRegexp: "n", Issuer: "i"}, "--certificate-identity and --certificate-identity-regexp are given, expected one"},
		{keyless.Identity{Name: "n", IssuerRegexp: "("}, "--certificate-oidc-issuer-regexp: error parsing regexp"},
	} {
		if _, err := keyless.NewJudge(c.who, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
	for text, want := range map[string]string{
		"x": "trusted root: ", `{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`: "it names no certificate authority",
	} {
		j, err := keyless.NewJudge(ci, []byte(text))
		check(t, err)
		if v, err := j.Judge(t.Context(), make([]oci.Document, 1)); err == nil || v != nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, %v, want %s", v, err, want)
		}
	}
}

// serve asks the program, in this process.
func serve(t testing.TB, root []byte, d keyless.Document) keyless.Verdict {
	t.Helper()
	request, err := json.Marshal(keyless.Request{Verify: &keyless.VerifyRequest{Documents: []keyless.Document{d}, TrustedRoot: root, Who: ci}})
	check(t, err)
	var out strings.Builder
	check(t, sigstore.Serve(t.Context(), strings.NewReader(string(request)), &out))
	var answer keyless.Response
	check(t, json.Unmarshal([]byte(out.String()), &answer))
	if len(answer.Verdicts) != 1 {
		t.Fatalf("answer %s", out.String())
	}
	return answer.Verdicts[0]
}

// FuzzBundle judges any text: never a crash, and never a yes to what was not signed.
func FuzzBundle(f *testing.F) {
	a := authority(f)
	f.Add(signWith(f, services(a)))
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"certificate":{"rawBytes":""}},"dsseEnvelope":{}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if v := serve(t, a.Root, keyless.Document{Content: text}); v.Reason == "" && string(v.Signed) != string(statement) {
			t.Errorf("a yes to %s", v.Signed)
		}
	})
}
