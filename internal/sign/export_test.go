package sign

import (
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
