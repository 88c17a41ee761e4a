package keylesstest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/cyberphone/json-canonicalization/go/src/webpki.org/jsoncanonicalizer"
	"github.com/go-openapi/runtime"
	"github.com/sigstore/rekor/pkg/generated/models"
	"github.com/sigstore/rekor/pkg/types"
	"github.com/sigstore/rekor/pkg/util"
	"github.com/sigstore/sigstore/pkg/signature"

	_ "github.com/sigstore/rekor/pkg/types/dsse/v0.0.1" // the entries that are recorded
	_ "github.com/sigstore/rekor/pkg/types/hashedrekord/v0.0.1"
	_ "github.com/sigstore/rekor/pkg/types/intoto/v0.0.2"
)

// record adds an entry to the log (Rekor, api/v1/log/entries): to a tree of its own.
func (a *Authority) record(w http.ResponseWriter, r *http.Request) error {
	body, err := readEntry(r.Context(), r.Body)
	if err != nil {
		return err
	}
	entry, promise, err := a.enter(body)
	if err != nil {
		return err
	}
	proof, err := a.proof(r.Context(), body)
	if err != nil {
		return err
	}
	entry["verification"] = map[string]any{"inclusionProof": proof, "signedEntryTimestamp": promise}
	uuid := hex.EncodeToString(logID(a.rekorKey))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("ETag", uuid)
	w.Header().Set("Location", "/api/v1/log/entries/"+uuid)
	w.WriteHeader(http.StatusCreated)
	return json.NewEncoder(w).Encode(map[string]any{uuid: entry})
}

// readEntry returns the body of the entry that is proposed.
func readEntry(ctx context.Context, in io.Reader) ([]byte, error) {
	proposed, err := models.UnmarshalProposedEntry(in, runtime.JSONConsumer())
	if err != nil {
		return nil, err
	}
	if e, ok := proposed.(*models.Intoto); ok && *e.APIVersion == "0.0.1" {
		return intotoBody(e)
	}
	entry, err := types.CreateVersionedEntry(proposed)
	if err != nil {
		return nil, err
	}
	return types.CanonicalizeEntry(ctx, entry)
}

// intotoBody is that of an entry of kind intoto 0.0.1, as Rekor writes it. Rekor's own
// package for it would bring a logger and a router into the module's dependencies.
func intotoBody(e *models.Intoto) ([]byte, error) {
	text, err := json.Marshal(e.Spec)
	if err != nil {
		return nil, err
	}
	var spec models.IntotoV001Schema
	if err := json.Unmarshal(text, &spec); err != nil {
		return nil, err
	}
	var envelope struct{ Payload []byte }
	if err := json.Unmarshal([]byte(spec.Content.Envelope), &envelope); err != nil {
		return nil, err
	}
	content := map[string]any{"hash": digestOf([]byte(spec.Content.Envelope)), "payloadHash": digestOf(envelope.Payload)}
	return json.Marshal(map[string]any{"apiVersion": "0.0.1", "kind": "intoto", "spec": map[string]any{"content": content, "publicKey": spec.PublicKey}})
}

func digestOf(b []byte) map[string]any {
	sum := sha256.Sum256(b)
	return map[string]any{"algorithm": "sha256", "value": hex.EncodeToString(sum[:])}
}

// enter gives an entry its place in the log, and returns what is known of it then and
// the log's promise, the signed entry timestamp.
func (a *Authority) enter(body []byte) (entry map[string]any, promise []byte, err error) {
	a.mu.Lock()
	a.entries++
	index := a.entries
	a.mu.Unlock()
	entry = map[string]any{
		"body": base64.StdEncoding.EncodeToString(body), "integratedTime": time.Now().Unix(), "logIndex": index, "logID": hex.EncodeToString(logID(a.rekorKey)),
	}
	text, err := json.Marshal(entry)
	if err == nil {
		text, err = jsoncanonicalizer.Transform(text)
	}
	if err != nil {
		return nil, nil, err
	}
	sum := sha256.Sum256(text)
	promise, err = ecdsa.SignASN1(rand.Reader, a.rekorKey, sum[:])
	return entry, promise, err
}

func (a *Authority) proof(ctx context.Context, body []byte) (map[string]any, error) {
	signer, err := signature.LoadECDSASignerVerifier(a.rekorKey, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	leaf := sha256.Sum256(append([]byte{0}, body...)) // RFC 6962, section 2.1
	checkpoint, err := util.CreateAndSignCheckpoint(ctx, "rekor.localhost", 1, 1, leaf[:], signer)
	if err != nil {
		return nil, err
	}
	return map[string]any{"treeSize": 1, "logIndex": 0, "hashes": []string{}, "rootHash": hex.EncodeToString(leaf[:]), "checkpoint": string(checkpoint)}, nil
}
