package sign

import (
	"encoding/base64"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
)

// CheckSignature is what Verify asks of one signature.
func CheckSignature(v *Verifier, d oci.Document, subject store.Digest) error {
	_, err := v.checkSignature(d, subject)
	return err
}

// CheckAttestation is what Verify asks of one attestation. It returns the predicate.
func CheckAttestation(v *Verifier, d oci.Document, subject store.Digest) ([]byte, error) {
	st, err := v.checkAttestation(d, subject)
	return st.Predicate, err
}

// CheckBundle is what Verify asks of one bundle. It returns the predicate.
func CheckBundle(v *Verifier, content []byte, subject store.Digest) ([]byte, error) {
	st, err := v.checkBundle(foundBundle{content: content, predicateType: saidType(content)}, subject)
	return st.Predicate, err
}

// ReadBeside is what Verify asks of what stands beside in a signature. It returns how many
// subjects it names attestations of, -1 where it says nothing of any.
func ReadBeside(beside string) (subjects int, err error) {
	s := newSignature([]byte(beside), "", []byte(beside))
	if s.Attestations == nil {
		return -1, s.unread
	}
	return len(s.Attestations), s.unread
}

// SignPayload signs an image with a payload in which beside is what is optional.
func SignPayload(s *Signer, subject store.Digest, beside string) (oci.Document, error) {
	content := `{"critical":{"identity":{"docker-reference":""},"image":{"docker-manifest-digest":"` + string(subject) + `"},"type":"` + payloadType + `"},"optional":` + beside + `}`
	signature, err := s.sign([]byte(content))
	return oci.Document{MediaType: mediaSimpleSigning, Content: []byte(content), Annotations: map[string]string{
		annotationSignature: base64.StdEncoding.EncodeToString(signature),
	}}, err
}

// SignBundle signs an image with a bundle of which beside is the predicate.
func SignBundle(s *Signer, subject store.Digest, beside string) (oci.Document, error) {
	content, err := s.newBundle([]byte(`{"_type":"` + statementV1 + `","subject":[{"digest":{"sha256":"` + subject.Hex() + `"}}],"predicateType":"` + SignatureType + `","predicate":` + beside + `}`))
	return oci.Document{MediaType: mediaBundle, Content: content}, err
}
