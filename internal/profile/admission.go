package profile

import (
	"github.com/hardpan/hardpan/internal/provenance"
	"github.com/hardpan/hardpan/sboms"
)

// attested are the types of the statements that a signed build attaches to the index of
// an image and to each platform's, with names for them.
var attested = []struct{ name, predicateType string }{
	{"provenance", provenance.Type},
	{"lock", provenance.LockType},
	{"spdx", sboms.SPDXType},
	{"cyclonedx", sboms.CycloneDXType},
}

const admissionComment = "# Signatures and attestations are by a key, and in no transparency log.\n"

// kyverno writes a ClusterPolicy (kyverno.io/v1) that admits the image only with the
// key's signature and attestations, and pins it by digest.
func (p *Profile) kyverno() ([]byte, error) {
	f := p.Facts
	key := object{{"keys", object{
		{"publicKeys", p.key + "\n"},
		{"rekor", object{{"url", "https://rekor.sigstore.dev"}, {"ignoreTlog", true}}},
		{"ctlog", object{{"ignoreSCT", true}}},
	}}}
	attestors := list{object{{"count", 1}, {"entries", list{key}}}}
	var attestations list
	for _, a := range attested {
		attestations = append(attestations, object{{"type", a.predicateType}, {"attestors", attestors}})
	}
	repository := repositoryOf(f.Reference)
	return documents(p.comments("Pods run the image only as the key signed it.")+admissionComment, object{
		{"apiVersion", "kyverno.io/v1"}, {"kind", "ClusterPolicy"},
		{"metadata", object{{"name", f.Name + "-signed"}}},
		{"spec", object{
			{"background", false},
			{"webhookConfiguration", object{{"failurePolicy", "Fail"}, {"timeoutSeconds", 30}}},
			{"rules", list{object{
				{"name", "signature-and-attestations"},
				{"match", object{{"any", list{object{{"resources", object{{"kinds", list{"Pod"}}}}}}}}},
				{"verifyImages", list{object{
					{"imageReferences", list{repository + ":*", repository + "@sha256:*"}},
					{"failureAction", "Enforce"},
					{"type", "Cosign"},
					{"required", true}, {"mutateDigest", true}, {"verifyDigest", true},
					{"attestors", attestors},
					{"attestations", attestations},
				}}},
			}}},
		}},
	})
}

// policyController writes a ClusterImagePolicy (policy.sigstore.dev/v1beta1): each
// authority must be satisfied by the image's signature, and by its attestations.
func (p *Profile) policyController() ([]byte, error) {
	f := p.Facts
	repository := repositoryOf(f.Reference)
	key := object{{"data", p.key + "\n"}, {"hashAlgorithm", "sha256"}}
	var attestations list
	for _, a := range attested {
		attestations = append(attestations, object{{"name", "must-have-" + a.name}, {"predicateType", a.predicateType}})
	}
	policy := func(suffix string, authority object) object {
		return object{
			{"apiVersion", "policy.sigstore.dev/v1beta1"}, {"kind", "ClusterImagePolicy"},
			{"metadata", object{{"name", f.Name + suffix}}},
			{"spec", object{
				{"mode", "enforce"},
				{"images", list{object{{"glob", repository}}, object{{"glob", repository + ":*"}}, object{{"glob", repository + "@*"}}}},
				{"authorities", list{authority}},
			}},
		}
	}
	// All policies that match an image must admit it, and of one policy's authorities
	// any: so there are two.
	return documents(p.comments("Pods run the image only as the key signed it, in namespaces with the label policy.sigstore.dev/include: \"true\".")+admissionComment,
		policy("-signed", object{{"name", "signature"}, {"key", key}}),
		policy("-attested", object{{"name", "attestations"}, {"key", key}, {"attestations", attestations}}),
	)
}
