package archive

import (
	"bytes"
	"crypto"
	_ "crypto/sha256" // the hashes that are accepted must be linked
	_ "crypto/sha512"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// maxSignatures bounds the signatures looked at in one message; Debian's have
// three. Each costs a public key operation.
const maxSignatures = 32

// clockSkew is how far in the future a signature or Release may be dated.
const clockSkew = 24 * time.Hour

// moment is the time that keys and signatures are judged at.
type moment struct {
	now time.Time
	// snapshot judges keys at the time of the signature: an old archive was signed
	// with keys that have expired since.
	snapshot bool
}

// verifyClearSigned verifies a message of the clear-signature framework (RFC 9580,
// section 7) and returns the text that was signed, and only that, and the
// fingerprints of the trusted keys with a good signature. The message must be all
// that data holds: text before or after it was signed by nobody.
func (k *Keyring) verifyClearSigned(data []byte, at moment) (text []byte, signers []string, err error) {
	if err := checkFraming(data); err != nil {
		return nil, nil, err
	}
	block, rest := clearsign.Decode(data)
	if block == nil {
		return nil, nil, errors.New("malformed clear-signed message")
	}
	if len(bytes.TrimSpace(rest)) != 0 {
		return nil, nil, errors.New("text after the clear-signed message")
	}
	if block.ArmoredSignature.Type != openpgp.SignatureType {
		return nil, nil, fmt.Errorf("found armor %q, expected %q", block.ArmoredSignature.Type, openpgp.SignatureType)
	}
	signers, err = k.verify(block.Bytes, block.ArmoredSignature.Body, at)
	if err != nil {
		return nil, nil, err
	}
	return block.Plaintext, signers, nil
}

// checkFraming refuses what the decoder would skip or pass over: anything before
// the first line, and lines of text that should have been dash-escaped.
func checkFraming(data []byte) error {
	const begin, signature, end = "-----BEGIN PGP SIGNED MESSAGE-----", "-----BEGIN PGP SIGNATURE-----", "-----END PGP SIGNATURE-----"
	inText, number := false, 0
	for line := range bytes.Lines(data) {
		number++
		l := string(bytes.TrimRight(line, " \t\r\n"))
		switch {
		case number == 1:
			if l != begin {
				return fmt.Errorf("found %.40q in line 1, expected %q", l, begin)
			}
			inText = true
		case inText && l == signature:
			inText = false
		case inText && strings.HasPrefix(l, "-") && !strings.HasPrefix(l, "- "):
			return fmt.Errorf("line %d begins with a dash that is not escaped", number)
		case !inText && strings.HasPrefix(l, "-") && l != end:
			return fmt.Errorf("found %.40q in line %d, expected one message only", l, number)
		}
	}
	return nil
}

// verifyDetached verifies a detached signature, armored or binary, over text.
func (k *Keyring) verifyDetached(text, signature []byte, at moment) (signers []string, err error) {
	var body io.Reader = bytes.NewReader(signature)
	if bytes.HasPrefix(signature, []byte("-----BEGIN ")) {
		block, err := armor.Decode(body)
		if err != nil {
			return nil, fmt.Errorf("malformed signature: %w", err)
		}
		if block.Type != openpgp.SignatureType {
			return nil, fmt.Errorf("found armor %q, expected %q", block.Type, openpgp.SignatureType)
		}
		body = block.Body
	}
	return k.verify(text, body, at)
}

// verify returns the fingerprints of the primary keys that made a good signature
// over text. Signatures of unknown keys are passed over, as gpgv and apt do: an
// archive signs with its old and its new keys at once. None that is good is an
// error that says what became of each.
func (k *Keyring) verify(text []byte, signatures io.Reader, at moment) ([]string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var good, verdicts []string
	packets := packet.NewReader(signatures)
	for range maxSignatures {
		p, err := packets.NextWithUnsupported()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("malformed signature: %w", err)
		}
		if _, ok := p.(*packet.UnsupportedPacket); ok {
			verdicts = append(verdicts, "a signature of an unsupported kind")
			continue
		}
		sig, ok := p.(*packet.Signature)
		if !ok {
			return nil, errors.New("found a packet that is no signature")
		}
		signer, err := k.checkSignature(text, sig, at)
		if err != nil {
			verdicts = append(verdicts, issuer(sig)+" ("+err.Error()+")")
			continue
		}
		if !slices.Contains(good, signer) {
			good = append(good, signer)
		}
	}
	if len(good) > 0 {
		return good, nil
	}
	if len(verdicts) == 0 {
		verdicts = []string{"nobody"}
	}
	return nil, fmt.Errorf("signed by %s; trusted keys are %s of %s",
		strings.Join(verdicts, ", "), strings.Join(k.keyIDs(), ", "), k.name)
}

// keyIDs returns the ids of all keys that the keyring has, subkeys included.
func (k *Keyring) keyIDs() []string {
	var ids []string
	for _, c := range k.certs {
		ids = append(ids, c.PrimaryKey.KeyIdString())
		for _, sub := range c.Subkeys {
			ids = append(ids, sub.PublicKey.KeyIdString())
		}
	}
	return ids
}

func issuer(sig *packet.Signature) string {
	if sig.IssuerKeyId == nil {
		return "a key without id"
	}
	return fmt.Sprintf("%016X", *sig.IssuerKeyId)
}

var errUnknownKey = errors.New("not a trusted key")

// checkSignature returns the fingerprint of the primary key behind one good
// signature.
func (k *Keyring) checkSignature(text []byte, sig *packet.Signature, at moment) (string, error) {
	if sig.IssuerKeyId == nil {
		return "", errUnknownKey
	}
	candidates := k.certs.EntitiesById(*sig.IssuerKeyId)
	if len(candidates) == 0 {
		return "", errUnknownKey
	}
	err := checkStatement(sig, at)
	if err != nil {
		return "", err
	}
	for _, cert := range candidates {
		if err = checkSignatureOf(cert, text, sig, at); err == nil {
			return fingerprint(cert.PrimaryKey.Fingerprint), nil
		}
	}
	return "", err
}

// checkStatement checks what a signature says of itself.
func checkStatement(sig *packet.Signature, at moment) error {
	switch sig.Hash {
	case crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA3_256, crypto.SHA3_512:
	default:
		return fmt.Errorf("weak hash %s", sig.Hash)
	}
	if sig.SigType != packet.SigTypeBinary && sig.SigType != packet.SigTypeText {
		return fmt.Errorf("signature of type %#02x, expected one over a document", int(sig.SigType))
	}
	for _, n := range sig.Notations {
		if n.IsCritical {
			return fmt.Errorf("unknown critical notation %.40q", n.Name)
		}
	}
	if sig.CreationTime.After(at.now.Add(clockSkew)) {
		return fmt.Errorf("signature made in the future, %s", day(sig.CreationTime))
	}
	if sig.SigExpired(at.now) && !at.snapshot {
		return errors.New("signature expired")
	}
	return nil
}

// checkSignatureOf checks the key that a signature names, at the time that counts,
// and then the signature.
func checkSignatureOf(cert *openpgp.Entity, text []byte, sig *packet.Signature, at moment) error {
	now := at.now
	if at.snapshot {
		now = time.Time{} // no look at expiry; checked against the signature's time below
	}
	if _, err := cert.VerifyPrimaryKey(now, nil); err != nil {
		return keyTrouble(err, cert.PrimaryKey)
	}
	for _, sub := range cert.Subkeys {
		if sub.PublicKey.KeyId != *sig.IssuerKeyId {
			continue
		}
		if _, err := sub.Verify(now, nil); err != nil {
			return keyTrouble(err, sub.PublicKey)
		}
	}
	key, ok := cert.SigningKeyById(now, *sig.IssuerKeyId, nil)
	if !ok {
		return errors.New("key may not sign or is too weak")
	}
	made := sig.CreationTime
	if made.Before(key.PublicKey.CreationTime) {
		return errors.New("signature older than its key")
	}
	if key.PublicKey.KeyExpired(key.SelfSignature, made) || cert.PrimaryKey.KeyExpired(key.PrimarySelfSignature, made) {
		return errors.New("key had expired when it signed")
	}
	h, err := sig.PrepareVerify()
	if err != nil {
		return errors.New("signature of an unsupported kind")
	}
	document := io.Writer(h)
	if sig.SigType == packet.SigTypeText {
		document = openpgp.NewCanonicalTextHash(h)
	}
	document.Write(text)
	if err := key.PublicKey.VerifySignature(h, sig); err != nil {
		return errors.New("bad signature")
	}
	return nil
}

func keyTrouble(err error, key *packet.PublicKey) error {
	id := key.KeyIdString()
	switch {
	case errors.Is(err, pgperrors.ErrKeyRevoked):
		return fmt.Errorf("key %s is revoked", id)
	case errors.Is(err, pgperrors.ErrKeyExpired):
		return fmt.Errorf("key %s has expired", id)
	}
	return fmt.Errorf("key %s has no valid self-signature", id)
}

// day prints a time as the Date field of a Release has it.
func day(t time.Time) string { return t.UTC().Format("Mon, 02 Jan 2006 15:04:05 UTC") }
