package sigstore

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/keyless"
)

// FuzzRead reads any layer with any annotations: never a crash, never an error of more
// than one line, and what is believed later is what the layer has.
func FuzzRead(f *testing.F) {
	const (
		entry     = `{"SignedEntryTimestamp":"AAAA","Payload":{"body":"eyJhcGlWZXJzaW9uIjoiMC4wLjEiLCJraW5kIjoiaW50b3RvIn0=","integratedTime":1700000000,"logIndex":1,"logID":"e935e2ec76286678106439aeab2c2de90f92a1e37465a335875a42029100b7f7"}}`
		timestamp = `{"SignedRFC3161Timestamp":"AAAA"}`
		pem       = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
	)
	f.Add(false, []byte(`{"critical":{}}`), "AAAA", pem, "", timestamp)
	f.Add(false, []byte(`{"critical":{}}`), "AAAA", "", entry, "")
	f.Add(true, []byte(`{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[{"keyid":"","sig":"AAAA"}]}`), "", pem, entry, timestamp)
	f.Fuzz(func(t *testing.T, attests bool, content []byte, signature, certificate, entry, timestamp string) {
		from := keyless.Document{MediaType: mediaSignature, Content: content, Annotations: map[string]string{
			annotationSignature: signature, annotationCertificate: certificate, annotationEntry: entry, annotationTimestamp: timestamp,
		}}
		if attests {
			from.MediaType = mediaAttestation
		}
		d, err := read(from)
		if err != nil {
			if strings.Contains(err.Error(), "\n") && !strings.Contains(err.Error(), "make no bundle: ") { // which is the library's and put on one line later
				t.Errorf("error %q has more than one line", err)
			}
			return
		}
		switch {
		case d.message == attests || (d.bundle.GetMessageSignature() == nil) != attests || (d.bundle.GetDsseEnvelope() == nil) == attests:
			t.Errorf("a layer of type %s is read as another", from.MediaType)
		case !attests && !bytes.Equal(d.signed, content):
			t.Errorf("the payload became %q", d.signed)
		case attests && (!bytes.Equal(d.stamped, content) || !bytes.Equal(d.signed, d.bundle.GetDsseEnvelope().GetPayload())):
			t.Errorf("the statement became %q", d.signed)
		}
		material := d.bundle.GetVerificationMaterial()
		if entries := len(material.GetTlogEntries()); entry == "" && (entries > 0 || d.entry != nil) || entry != "" && (entries == 1) == (d.entry != nil) {
			t.Errorf("of the entry %q became %d and %v", entry, entries, d.entry)
		}
		if n := len(material.GetTimestampVerificationData().GetRfc3161Timestamps()); (n == 1) != (timestamp != "") {
			t.Errorf("of the timestamp %q became %d", timestamp, n)
		}
	})
}
