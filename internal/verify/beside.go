package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/check"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/sign"
	"github.com/hardpan/hardpan/internal/store"
)

// Beside says what lies beside an image, at its own manifest or at the index that lists
// it. With a verifier, signatures count only if they are the key's; without one it is
// looked at what is there, not whose it is.
func Beside(ctx context.Context, src *oci.Source, img *oci.Image, v *sign.Verifier) (check.Attached, error) {
	if !src.CanHaveArtifacts() {
		return check.Attached{}, nil
	}
	a := check.Attached{Asked: true}
	for _, subject := range slices.Compact([]store.Digest{src.Digest, img.Digest}) {
		signatures, err := src.Artifacts(ctx, subject, oci.Signatures)
		if err != nil {
			return a, err
		}
		attestations, err := src.Artifacts(ctx, subject, oci.Attestations)
		if err != nil {
			return a, err
		}
		a.Signed = a.Signed || slices.ContainsFunc(signatures, func(s *oci.Artifact) bool { return len(s.Documents) > 0 })
		for _, s := range attestations {
			for _, d := range s.Documents {
				kind := predicateType(d)
				a.SBOM = a.SBOM || strings.Contains(kind, "spdx.dev") || strings.Contains(kind, "cyclonedx.org")
				a.Provenance = a.Provenance || strings.Contains(kind, "slsa.dev/provenance")
			}
		}
	}
	if v == nil {
		return a, nil
	}
	report, err := sign.Verify(ctx, src, v)
	if err != nil {
		return a, err
	}
	a.Verified = true
	for _, q := range report.Refused() {
		if a.Signed && a.Refused == "" {
			a.Refused = fmt.Sprintf("%s %s: %s", q.Subject.Name, q.Kind, q.Answer)
		}
	}
	return a, nil
}

// predicateType returns what an attestation is about: the type of the in-toto statement
// in a DSSE envelope (in-toto Attestation Framework, spec v1).
func predicateType(d oci.Document) string {
	var envelope struct{ Payload []byte }
	var statement struct{ PredicateType string }
	if json.Unmarshal(d.Content, &envelope) != nil || json.Unmarshal(envelope.Payload, &statement) != nil {
		return d.Annotations["predicateType"]
	}
	return statement.PredicateType
}
