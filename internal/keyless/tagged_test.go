package keyless_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hardpan/hardpan/internal/keyless"
	"github.com/hardpan/hardpan/internal/keyless/keylesstest"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/sign"
	"github.com/hardpan/hardpan/internal/sign/signtest"
	"github.com/hardpan/hardpan/internal/store"
)

// Annotations of layers under cosign's tags.
const (
	noteSignature   = "dev.cosignproject.cosign/signature"
	noteCertificate = "dev.sigstore.cosign/certificate"
	noteEntry       = "dev.sigstore.cosign/bundle"
	noteTimestamp   = "dev.sigstore.cosign/rfc3161timestamp"

	spdx = "https://spdx.dev/Document"
)

func payloadOf(d store.Digest) []byte {
	return []byte(`{"critical":{"identity":{"docker-reference":"example/app"},"image":{"docker-manifest-digest":"` + string(d) + `"},"type":"cosign container image signature"},"optional":null}`)
}

func statementOf(d store.Digest) []byte {
	return []byte(`{"_type":"https://in-toto.io/Statement/v0.1","subject":[{"name":"example/app","digest":{"sha256":"` + d.Hex() + `"}}],"predicateType":"` + spdx + `","predicate":{}}`)
}

var someDigest = store.Digest("sha256:" + strings.Repeat("a", 64))

// by returns how the identity of the tests signs.
func by(entry string, timestamp bool) keylesstest.Tagged {
	return keylesstest.Tagged{Email: email, Issuer: issuer, Entry: entry, Timestamp: timestamp}
}

func signature(t testing.TB, a *keylesstest.Authority, how keylesstest.Tagged) oci.Document {
	t.Helper()
	d, err := a.Signature(t.Context(), how, payloadOf(someDigest))
	check(t, err)
	return d
}

func attestation(t testing.TB, a *keylesstest.Authority, how keylesstest.Tagged) oci.Document {
	t.Helper()
	d, err := a.Attestation(t.Context(), how, spdx, statementOf(someDigest))
	check(t, err)
	return d
}

func judgeDocuments(t testing.TB, who keyless.Identity, root []byte, documents ...oci.Document) []sign.Verdict {
	t.Helper()
	j, err := keyless.NewJudge(who, root)
	check(t, err)
	verdicts, err := j.Judge(t.Context(), documents)
	check(t, err)
	return verdicts
}

// question is what is asked of a document.
type question struct {
	call
	d oci.Document
}

type call struct {
	who  keyless.Identity
	root string
}

// judgeEach answers all that is asked, with one call for each identity and root.
func judgeEach(t testing.TB, asked []question) []sign.Verdict {
	t.Helper()
	calls := map[call][]int{}
	for i, q := range asked {
		calls[q.call] = append(calls[q.call], i)
	}
	verdicts := make([]sign.Verdict, len(asked))
	for c, list := range calls {
		var documents []oci.Document
		for _, i := range list {
			documents = append(documents, asked[i].d)
		}
		for n, v := range judgeDocuments(t, c.who, []byte(c.root), documents...) {
			verdicts[list[n]] = v
		}
	}
	return verdicts
}

// What is signed under cosign's tags is verified without the network, whatever kind of
// entry the log has of it, and by a timestamp where there is no log. Each root demands
// what it can vouch for.
func TestTagged(t *testing.T) {
	t.Parallel()
	a := authority(t)
	var documents []oci.Document
	var hows []keylesstest.Tagged
	for _, stamped := range []bool{false, true} {
		for _, entry := range []string{"hashedrekord", "", "dsse", "intoto 0.0.1", "intoto 0.0.2"} {
			how := by(entry, stamped)
			if entry == "" && !stamped {
				continue
			}
			if entry == "hashedrekord" || entry == "" {
				documents, hows = append(documents, signature(t, a, how)), append(hows, how)
			}
			if entry != "hashedrekord" {
				documents, hows = append(documents, attestation(t, a, how)), append(hows, how)
			}
		}
	}
	requests := a.Requests()
	withLog, withoutLog := judgeDocuments(t, ci, a.Root, documents...), judgeDocuments(t, ci, a.TimestampRoot, documents...)
	for i, d := range documents {
		want := string(payloadOf(someDigest))
		if strings.Contains(d.MediaType, "dsse") {
			want = string(statementOf(someDigest))
		}
		for _, c := range []struct {
			verdict sign.Verdict
			refused string
		}{
			{withLog[i], map[bool]string{true: "not vouched for: there is no entry of a transparency log"}[hows[i].Entry == ""]},
			{withoutLog[i], map[bool]string{true: "not vouched for: no time of signing is vouched for ("}[!hows[i].Timestamp]},
		} {
			switch v := c.verdict; {
			case c.refused == "" && (v.Err != nil || string(v.Signed) != want || !strings.HasPrefix(v.Signer, email+" of "+issuer+" at 2")):
				t.Errorf("%s %+v: %+v", d.MediaType, hows[i], v)
			case c.refused != "" && (!errors.Is(v.Err, sign.ErrUntrusted) || v.Signed != nil || !strings.HasPrefix(v.Err.Error(), c.refused)):
				t.Errorf("%s %+v: %+v, want %s", d.MediaType, hows[i], v, c.refused)
			}
		}
	}
	if n := a.Requests() - requests; n != 0 {
		t.Errorf("verification made %d requests", n)
	}
}

// with returns a document with other annotations, "" for none.
func with(d oci.Document, annotations ...string) oci.Document {
	d.Annotations = maps.Clone(d.Annotations)
	for i := 0; i < len(annotations); i += 2 {
		if d.Annotations[annotations[i]] = annotations[i+1]; annotations[i+1] == "" {
			delete(d.Annotations, annotations[i])
		}
	}
	return d
}

// from returns a document with annotations of another.
func from(d, other oci.Document, names ...string) oci.Document {
	for _, name := range names {
		d = with(d, name, other.Annotations[name])
	}
	return d
}

// containing returns a document with another content.
func containing(d oci.Document, content string) oci.Document {
	d.Content = []byte(content)
	return d
}

// entry returns a document with a change of its log entry.
func entry(t testing.TB, d oci.Document, change func(e, payload map[string]any)) oci.Document {
	t.Helper()
	var e map[string]any
	check(t, json.Unmarshal([]byte(d.Annotations[noteEntry]), &e))
	change(e, e["Payload"].(map[string]any))
	text, err := json.Marshal(e)
	check(t, err)
	return with(d, noteEntry, string(text))
}

// body returns a document whose log entry says something else.
func body(t testing.TB, d oci.Document, change func(text string) string) oci.Document {
	t.Helper()
	return entry(t, d, func(_, payload map[string]any) {
		text, err := base64.StdEncoding.DecodeString(payload["body"].(string))
		check(t, err)
		payload["body"] = base64.StdEncoding.EncodeToString([]byte(change(string(text))))
	})
}

// Each way in which a layer under a tag is not what it should be has a message of its own.
func TestTaggedRefused(t *testing.T) {
	t.Parallel()
	a, other, old, unlogged := authority(t), authority(t), authority(t), authority(t)
	old.CertificateAge, unlogged.Unlogged = time.Hour, true
	sig, sig2, stamped := signature(t, a, by("hashedrekord", true)), signature(t, a, by("hashedrekord", true)), signature(t, a, by("", true))
	att, att2 := attestation(t, a, by("dsse", true)), attestation(t, a, by("dsse", true))
	intoto, intoto2 := attestation(t, a, by("intoto 0.0.1", true)), attestation(t, a, by("intoto 0.0.1", true))
	tampered := strings.Replace(string(payloadOf(someDigest)), "sha256:aa", "sha256:bb", 1)
	tamperedEnvelope := strings.Replace(string(att.Content), `"payload":"ey`, `"payload":"fy`, 1)
	tamperedBody := func(b string) string {
		before, after, _ := strings.Cut(b, `"value":"`)
		return before + `"value":"` + map[bool]string{true: "1", false: "0"}[after[0] == '0'] + after[1:]
	}
	empty := `{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[{"keyid":"","sig":"AAAA"}]}`
	const (
		entryNot = "not vouched for: the entry of the transparency log does not verify ("
		timeNot  = "not vouched for: no time of signing is vouched for ("
		certNot  = "not vouched for: the certificate is not of an authority that the trusted root names, or was not valid when it was signed"
		tamper   = "changed after it was signed: the certificate's key does not verify it ("
		damaged  = "damaged document: "
	)
	cases := []struct {
		name string
		root []byte
		d    oci.Document
		want string // the beginning of the error; "" is a yes
	}{
		{"as signed", a.Root, sig, ""},
		{"as attested", a.Root, att, ""},

		{"another root", other.Root, sig, "not vouched for: the entry is of no transparency log that the trusted root names"},
		{"attestation, another root", other.Root, att, "not vouched for: the entry is of no transparency log that the trusted root names"},
		{"intoto, another root", other.Root, intoto, "not vouched for: the entry is of no transparency log that the trusted root names"},
		{"timestamp, another root", other.TimestampRoot, stamped, timeNot},
		{"certificate of another authority", a.TimestampRoot, from(sig, signature(t, other, by("", true)), noteCertificate), certNot},

		{"no entry", a.Root, with(sig, noteEntry, ""), "not vouched for: there is no entry of a transparency log"},
		{"no entry, and none is asked for", a.TimestampRoot, with(sig, noteEntry, ""), ""},
		{"neither entry nor timestamp", a.TimestampRoot, with(sig, noteEntry, "", noteTimestamp, ""), timeNot},
		{"entry of another signature", a.Root, from(sig, sig2, noteEntry), entryNot + "transparency log signature does not match)"},
		{"entry of another attestation", a.Root, from(att, att2, noteEntry), entryNot + "transparency log signature does not match)"},
		{"intoto, entry of another attestation", a.Root, from(intoto, intoto2, noteEntry), entryNot + "the entry is of an envelope with digest sha256:"},
		{"entry of a signature", a.Root, from(att, sig, noteEntry), entryNot + "transparency log signature does not match)"},
		{"intoto entry of a signature", a.Root, from(sig, intoto, noteEntry), damaged + "the annotations make no bundle: "},
		{"other time", a.Root, entry(t, sig, func(_, p map[string]any) { p["integratedTime"] = p["integratedTime"].(float64) + 1 }), entryNot + "not enough verified log entries"},
		{"other index", a.Root, entry(t, sig, func(_, p map[string]any) { p["logIndex"] = 77 }), entryNot + "not enough verified log entries"},
		{"intoto, other time", a.Root, entry(t, intoto, func(_, p map[string]any) { p["integratedTime"] = p["integratedTime"].(float64) + 1 }), entryNot + "the log has not promised it: "},
		{"intoto, before there was the log", a.Root, entry(t, intoto, func(_, p map[string]any) { p["integratedTime"] = 1 }), entryNot + "the log's key was not valid at the integrated time)"},
		{"promise of another entry", a.Root, entry(t, sig, func(e, _ map[string]any) {
			entry(t, sig2, func(e2, _ map[string]any) { e["SignedEntryTimestamp"] = e2["SignedEntryTimestamp"] })
		}), entryNot + "not enough verified log entries"},
		{"entry that says otherwise", a.Root, body(t, sig, tamperedBody), damaged + "the annotations make no bundle: "},
		{"intoto entry that says otherwise", a.Root, body(t, intoto, tamperedBody), entryNot + "the log has not promised it: "},
		{"after the certificate's time", old.Root, signature(t, old, by("hashedrekord", false)), entryNot + "integrated time outside certificate validity)"},
		{"intoto, after the certificate's time", old.Root, attestation(t, old, by("intoto 0.0.1", false)), entryNot + "integrated time outside certificate validity)"},
		{"timestamp after the certificate's time", old.TimestampRoot, signature(t, old, by("", true)), certNot},
		{"certificate in no log", unlogged.Root, signature(t, unlogged, by("hashedrekord", false)), "not vouched for: the certificate is in no log that the trusted root names ("},
		{"attestation, certificate in no log", unlogged.TimestampRoot, attestation(t, unlogged, by("", true)), "not vouched for: the certificate is in no log that the trusted root names ("},
		{"intoto, certificate in no log", unlogged.Root, attestation(t, unlogged, by("intoto 0.0.1", false)), "not vouched for: the certificate is in no log that the trusted root names ("},

		{"timestamp of another signature", a.TimestampRoot, from(sig, sig2, noteTimestamp), timeNot},
		{"timestamp of another attestation", a.TimestampRoot, from(att, att2, noteTimestamp), timeNot},

		{"certificate of another key", a.Root, from(sig, sig2, noteCertificate), entryNot + "transparency log certificate does not match)"},
		{"timestamp, certificate of another key", a.TimestampRoot, from(sig, sig2, noteCertificate), tamper},
		{"attestation, certificate of another key", a.TimestampRoot, from(att, att2, noteCertificate), tamper},
		{"intoto, certificate of another key", a.Root, from(intoto, intoto2, noteCertificate), entryNot + "the entry is of another certificate)"},
		{"certificate and entry of another key", a.Root, from(sig, sig2, noteCertificate, noteEntry), entryNot + "transparency log signature does not match)"},
		{"signature of another key", a.TimestampRoot, from(sig, sig2, noteSignature, noteTimestamp), tamper},
		{"intoto, all of another but the envelope", a.TimestampRoot, from(intoto, intoto2, noteCertificate, noteEntry), tamper},

		{"changed payload", a.Root, containing(sig, tampered), entryNot + "transparency log hashedrekord entry digest "},
		{"timestamp, changed payload", a.TimestampRoot, containing(sig, tampered), tamper},
		{"changed statement", a.Root, containing(att, tamperedEnvelope), entryNot + "transparency log dsse/intoto entry payload hash "},
		{"intoto, changed statement", a.Root, containing(intoto, strings.Replace(string(intoto.Content), `"payload":"ey`, `"payload":"fy`, 1)), entryNot + "the entry is of an envelope with digest sha256:"},
		{"another statement", a.Root, containing(att, empty), entryNot + "transparency log signature does not match)"},
		{"intoto, another statement", a.Root, containing(intoto, empty), entryNot + "the entry is of an envelope with digest sha256:"},
		{"timestamp, another statement", a.TimestampRoot, containing(att, empty), timeNot},

		{"a key", a.Root, with(sig, noteCertificate, "", noteEntry, ""), "signed by another identity: it is signed with a key, and no certificate says whose that is"},
		{"a key and an entry", a.Root, with(sig, noteCertificate, ""), "signed by another identity: it is signed with a key, and no certificate says whose that is"},

		{"no signature", a.Root, with(sig, noteSignature, ""), damaged + "annotation " + noteSignature + " is no signature in base64"},
		{"no base64", a.Root, with(sig, noteSignature, "!"), damaged + "annotation " + noteSignature + " is no signature in base64"},
		{"huge signature", a.Root, with(sig, noteSignature, strings.Repeat("A", 1<<20)), damaged + "annotation " + noteSignature + " has 1048576 bytes, at most 131072 are read"},
		{"no certificate", a.Root, with(sig, noteCertificate, "x"), damaged + "annotation " + noteCertificate + " is not one certificate in PEM"},
		{"two certificates", a.Root, with(sig, noteCertificate, strings.Repeat(sig.Annotations[noteCertificate], 2)), damaged + "annotation " + noteCertificate + " is not one certificate in PEM"},
		{"damaged certificate", a.Root, with(sig, noteCertificate, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), damaged + "the certificate is not of its form: "},
		{"huge certificate", a.Root, with(sig, noteCertificate, sig.Annotations[noteCertificate]+strings.Repeat("\n", 1<<18)), damaged + "annotation " + noteCertificate + " has "},
		{"entry without JSON", a.Root, with(sig, noteEntry, "{"), damaged + "annotation " + noteEntry + " is not JSON of its form"},
		{"entry of another form", a.Root, with(sig, noteEntry, `{"Payload":[]}`), damaged + "annotation " + noteEntry + " is not JSON of its form"},
		{"entry that is empty", a.Root, with(sig, noteEntry, `{}`), damaged + "annotation " + noteEntry + `: the log's ID is "", expected a SHA-256 in hexadecimal`},
		{"huge entry", a.Root, with(sig, noteEntry, strings.Repeat(" ", 1<<20)+sig.Annotations[noteEntry]), damaged + "annotation " + noteEntry + " has "},
		{"entry without base64", a.Root, entry(t, sig, func(_, p map[string]any) { p["body"] = "!" }), damaged + "annotation " + noteEntry + " is not JSON of its form"},
		{"entry without a body", a.Root, entry(t, sig, func(_, p map[string]any) { p["body"] = "" }), damaged + "annotation " + noteEntry + ": the body is no entry in JSON"},
		{"entry of a kind that nobody knows", a.Root, entry(t, sig, func(_, p map[string]any) { p["body"] = "e30=" }), damaged + "the annotations make no bundle: "},
		{"entry without a promise", a.Root, entry(t, sig, func(e, _ map[string]any) { delete(e, "SignedEntryTimestamp") }), damaged + "annotation " + noteEntry + " has no promise of a log with index and time"},
		{"timestamp without JSON", a.Root, with(sig, noteTimestamp, "x"), damaged + "annotation " + noteTimestamp + " is not JSON of its form"},
		{"timestamp that is empty", a.Root, with(sig, noteTimestamp, "{}"), damaged + "annotation " + noteTimestamp + " has no timestamp"},
		{"timestamp that is none", a.TimestampRoot, with(stamped, noteTimestamp, `{"SignedRFC3161Timestamp":"AAAA"}`), timeNot},
		{"no envelope", a.Root, containing(att, "x"), damaged + "it is not a DSSE envelope"},
		{"envelope of something else", a.Root, containing(att, strings.Replace(empty, "vnd.in-toto", "x", 1)), damaged + `the envelope holds "application/x+json", expected application/vnd.in-toto+json`},
		{"envelope without a signature", a.Root, containing(att, strings.Replace(empty, `{"keyid":"","sig":"AAAA"}`, "", 1)), damaged + "the envelope has 0 signatures, expected one"},
		{"envelope with two", a.Root, containing(att, strings.Replace(empty, `{"keyid`, `{"sig":"AAAA"},{"keyid`, 1)), damaged + "the envelope has 2 signatures, expected one"},
	}
	var asked []question
	for _, c := range cases {
		asked = append(asked, question{call{ci, string(c.root)}, c.d})
	}
	verdicts := judgeEach(t, asked)
	for i, c := range cases {
		v := verdicts[i]
		switch {
		case c.want == "" && v.Err == nil:
		case v.Err == nil || c.want == "" || !strings.HasPrefix(v.Err.Error(), c.want) || v.Signed != nil || strings.Contains(v.Err.Error(), "\n"):
			t.Errorf("%s: %v, want %s", c.name, v.Err, c.want)
		}
	}
	for _, c := range []struct {
		who  keyless.Identity
		want string
	}{
		{keyless.Identity{Name: "someone@example.com", Issuer: issuer}, `signed by another identity: it is signed by "ci@example.com", expected "someone@example.com"`},
		{keyless.Identity{NameRegexp: "ci@example", Issuer: issuer}, `signed by another identity: it is signed by "ci@example.com", expected "ci@example"`},
		{keyless.Identity{Name: email, Issuer: "https://another.example.com"}, `signed by another identity: the identity is vouched for by "https://issuer.example.com", expected the issuer "https://another.example.com"`},
	} {
		for _, v := range judgeDocuments(t, c.who, a.Root, sig, att, intoto) {
			if !errors.Is(v.Err, sign.ErrIdentity) || v.Err.Error() != c.want {
				t.Errorf("%+v: %v, want %s", c.who, v.Err, c.want)
			}
		}
	}
}

// A signature or an attestation of another image is refused for that, and neither counts
// as the other.
func TestTaggedImage(t *testing.T) {
	t.Parallel()
	a := authority(t)
	for _, c := range []struct {
		name string
		make func(subject store.Digest, sig, att oci.Document) (sigs, atts []oci.Document)
		want [2]string // beginnings of what is said of the index
	}{
		{"as signed", func(_ store.Digest, sig, att oci.Document) (sigs, atts []oci.Document) {
			return []oci.Document{sig}, []oci.Document{att}
		}, [2]string{"signature: yes", "attestation: yes"}},
		{"of another image", func(_ store.Digest, _, _ oci.Document) (sigs, atts []oci.Document) {
			return []oci.Document{signature(t, a, by("hashedrekord", false))}, []oci.Document{attestation(t, a, by("intoto 0.0.1", false))}
		}, [2]string{"signature: signature of another image: it is of sha256:aaaa", "attestation: attestation about another image: it is about sha256:aaaa"}},
		{"beside a damaged copy", func(_ store.Digest, sig, att oci.Document) (sigs, atts []oci.Document) {
			return []oci.Document{with(sig, noteEntry, "{"), sig}, []oci.Document{with(att, noteEntry, ""), att}
		}, [2]string{"signature: yes", "attestation: yes"}},
		{"in each other's place", func(_ store.Digest, sig, att oci.Document) (sigs, atts []oci.Document) {
			return []oci.Document{att}, []oci.Document{sig}
		}, [2]string{"signature: damaged document: its media type is ", "attestation: damaged document: its media type is "}},
		{"under the other's name", func(_ store.Digest, sig, att oci.Document) (sigs, atts []oci.Document) {
			sig.MediaType, att.MediaType = att.MediaType, sig.MediaType
			return []oci.Document{att}, []oci.Document{sig}
		}, [2]string{"signature: damaged document: annotation " + noteSignature, `attestation: damaged document: the envelope holds "", expected`}},
		{"said to be of another type", func(_ store.Digest, sig, att oci.Document) (sigs, atts []oci.Document) {
			return []oci.Document{sig}, []oci.Document{with(att, "predicateType", "https://example.com/v1")}
		}, [2]string{"signature: yes", `attestation: damaged document: annotation predicateType says "https://example.com/v1"`}},
		{"attested only", func(_ store.Digest, _, att oci.Document) (sigs, atts []oci.Document) {
			return nil, []oci.Document{att}
		}, [2]string{"signature: no signature: nothing is signed for sha256:", "attestation: yes"}},
	} {
		ref := signtest.Push(t, c.name)
		src, err := oci.Open(t.Context(), ref, oci.OpenOptions{})
		check(t, err)
		sig, err := a.Signature(t.Context(), by("hashedrekord", false), payloadOf(src.Digest))
		check(t, err)
		att, err := a.Attestation(t.Context(), by("dsse", false), spdx, statementOf(src.Digest))
		check(t, err)
		var artifacts []*oci.Artifact
		sigs, atts := c.make(src.Digest, sig, att)
		for kind, documents := range map[oci.ArtifactKind][]oci.Document{oci.Signatures: sigs, oci.Attestations: atts} {
			if len(documents) > 0 {
				made, err := oci.NewArtifact(src.Digest, kind, documents)
				check(t, err)
				artifacts = append(artifacts, made)
			}
		}
		check(t, src.Attach(t.Context(), artifacts))
		check(t, src.Close())
		var rows []string
		for _, q := range verified(t, ref, ci, a.Root).Questions {
			if answer := q.Answer; q.Subject.Name == sign.IndexName {
				if q.OK {
					answer = "yes"
				}
				rows = append(rows, q.Kind+": "+answer)
			}
		}
		if !slices.EqualFunc(rows, c.want[:], strings.HasPrefix) {
			t.Errorf("%s: %q, want %q", c.name, rows, c.want)
		}
	}
}

// FuzzTagged judges any layer with any annotations: never a crash, and never a yes to
// what was not signed.
func FuzzTagged(f *testing.F) {
	a := authority(f)
	seeds := []oci.Document{signature(f, a, by("hashedrekord", true)), attestation(f, a, by("dsse", true)), attestation(f, a, by("intoto 0.0.1", false)), attestation(f, a, by("intoto 0.0.2", false))}
	for i, d := range seeds {
		for j, other := range []oci.Document{d, seeds[(i+1)%len(seeds)]} {
			f.Add(strings.Contains(d.MediaType, "dsse"), j == 0, d.Content, d.Annotations[noteSignature], d.Annotations[noteCertificate], other.Annotations[noteEntry], other.Annotations[noteTimestamp])
		}
	}
	media := map[bool]string{true: seeds[1].MediaType, false: seeds[0].MediaType}
	f.Fuzz(func(t *testing.T, attests, withLog bool, content []byte, signature, certificate, entry, timestamp string) {
		root := a.TimestampRoot
		if withLog {
			root = a.Root
		}
		v := serve(t, root, keyless.Document{MediaType: media[attests], Content: content, Annotations: map[string]string{
			noteSignature: signature, noteCertificate: certificate, noteEntry: entry, noteTimestamp: timestamp,
		}})
		if signed := string(v.Signed); v.Reason == "" && signed != string(payloadOf(someDigest)) && signed != string(statementOf(someDigest)) {
			t.Errorf("a yes to %s", v.Signed)
		}
	})
}
