package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hardpan/hardpan/internal/keyless/keylesstest"
	"github.com/hardpan/hardpan/internal/oci"
)

type authorityKey struct{}

// setUpKeyless runs the services that sign without keys where a script is about them.
func setUpKeyless(env *testscript.Env) error {
	if !strings.Contains(filepath.Base(env.WorkDir), "keyless") {
		return nil
	}
	a, err := keylesstest.New()
	if err != nil {
		return err
	}
	env.Defer(a.Close)
	env.Values[authorityKey{}] = a
	startRegistry(env)
	for name, content := range map[string]string{
		"root.json": string(a.Root), "token": keylesstest.Token("ci@example.com", "https://issuer.example.com"),
		"other.token": keylesstest.Token("other@example.com", "https://issuer.example.com"),
	} {
		if err := os.WriteFile(filepath.Join(env.WorkDir, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	for name, value := range map[string]string{
		"HARDPAN_FULCIO_URL": a.Fulcio, "HARDPAN_REKOR_URL": a.Rekor, "HARDPAN_TIMESTAMP_URL": a.Timestamp,
	} {
		env.Setenv(name, value)
	}
	return nil
}

// startRegistry gives a script an empty registry, $REGISTRY.
func startRegistry(env *testscript.Env) {
	s := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	env.Defer(s.Close)
	env.Setenv("REGISTRY", strings.TrimPrefix(s.URL, "http://"))
}

// outage makes the services, of which SERVICE is fulcio, rekor or timestamp, refuse.
func outage(ts *testscript.TestScript, neg bool, args []string) {
	a := ts.Value(authorityKey{}).(*keylesstest.Authority)
	a.Fail = func(service string) (int, string) {
		if !neg && slices.Contains(args, service) {
			return http.StatusForbidden, "out of order"
		}
		return 0, ""
	}
}

// tagged signs the index as `cosign sign` and `cosign attest` do that make no bundles.
func tagged(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: tagged IMAGE")
	}
	a, ctx := ts.Value(authorityKey{}).(*keylesstest.Authority), context.Background()
	name := args[0]
	if _, err := os.Stat(ts.MkAbs(name)); err == nil {
		name = ts.MkAbs(name)
	}
	src, err := oci.Open(ctx, name, oci.OpenOptions{})
	ts.Check(err)
	defer src.Close()
	how := keylesstest.Tagged{Email: "ci@example.com", Issuer: "https://issuer.example.com", Entry: "hashedrekord", Timestamp: true}
	signature, err := a.Signature(ctx, how, fmt.Appendf(nil, `{"critical":{"identity":{},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"}}`, src.Digest))
	ts.Check(err)
	how.Entry = "dsse"
	attestation, err := a.Attestation(ctx, how, "https://openvex.dev/ns", fmt.Appendf(nil,
		`{"_type":"https://in-toto.io/Statement/v0.1","subject":[{"digest":{"sha256":%q}}],"predicateType":"https://openvex.dev/ns","predicate":{}}`, src.Digest.Hex()))
	ts.Check(err)
	for kind, added := range map[oci.ArtifactKind]oci.Document{oci.Attestations: attestation, oci.Signatures: signature} {
		documents := []oci.Document{added}
		before, err := src.Artifacts(ctx, src.Digest, kind)
		ts.Check(err)
		for _, a := range before {
			documents = append(a.Documents, documents...)
		}
		artifact, err := oci.NewArtifact(src.Digest, kind, documents)
		ts.Check(err)
		ts.Check(src.Attach(ctx, []*oci.Artifact{artifact}))
	}
}
