package oci

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hardpan/hardpan/internal/store"
)

// Media types of OCI (image spec, media-types.md) and of the Docker documents that
// are read as their equals.
const (
	mediaIndex      = "application/vnd.oci.image.index.v1+json"
	mediaManifest   = "application/vnd.oci.image.manifest.v1+json"
	mediaConfig     = "application/vnd.oci.image.config.v1+json"
	dockerIndex     = "application/vnd.docker.distribution.manifest.list.v2+json"
	dockerManifest  = "application/vnd.docker.distribution.manifest.v2+json"
	dockerConfig    = "application/vnd.docker.container.image.v1+json"
	dockerLayer     = "application/vnd.docker.image.rootfs.diff.tar"
	dockerLayerGzip = "application/vnd.docker.image.rootfs.diff.tar.gzip"
	dockerLayerZstd = "application/vnd.docker.image.rootfs.diff.tar.zstd"
)

// A descriptor points at a blob (OCI image spec, descriptor.md).
type descriptor struct {
	MediaType    string            `json:"mediaType"`
	Digest       store.Digest      `json:"digest"`
	Size         int64             `json:"size"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	Platform     *Platform         `json:"platform,omitempty"`
	ArtifactType string            `json:"artifactType,omitempty"`
}

func (d descriptor) validate() error {
	if !d.Digest.Valid() {
		return fmt.Errorf("%w: digest %.80q, expected sha256: and 64 hex digits", ErrInvalid, d.Digest)
	}
	if d.Size < 0 {
		return fmt.Errorf("%w: %s has the size %d", ErrInvalid, d.Digest, d.Size)
	}
	return nil
}

// A manifestDoc is the manifest of one image (OCI image spec, manifest.md).
type manifestDoc struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType,omitempty"`
	Config        descriptor        `json:"config"`
	Layers        []descriptor      `json:"layers"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

// An indexDoc lists manifests (OCI image spec, image-index.md).
type indexDoc struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType,omitempty"`
	Manifests     []descriptor      `json:"manifests"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

// encode returns v as JSON: struct fields in their order, map keys sorted, no
// white space, and <, > and & as themselves.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), nil
}

// decode reads one JSON document into v. A member that occurs twice is an error,
// because readers differ in which one they believe.
func decode(b []byte, v any) error {
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if name, ok := repeatedMember(b); ok {
		return fmt.Errorf("%w: member %.60q occurs twice", ErrInvalid, name)
	}
	return nil
}

// structural are the members of documents whose objects have names of the format. In all
// others, such as annotations, the names are the user's.
var structural = map[string]bool{
	"": true, "config": true, "layers": true, "manifests": true, "subject": true, "platform": true, "rootfs": true, "history": true,
}

// repeatedMember returns a member that one object of the document, which is valid
// JSON, has twice. Names of the format that differ only in case are the same one to
// encoding/json, and so count as twice.
func repeatedMember(b []byte) (string, bool) {
	type container struct {
		of   string          // the member that it is of, in lower case, "" for the outermost
		seen map[string]bool // names; nil for an array
	}
	var open []container
	member := ""
	begin := func(seen map[string]bool) {
		of := member
		if n := len(open); n > 0 && open[n-1].seen == nil {
			of = open[n-1].of
		}
		open = append(open, container{of, seen})
	}
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '{':
			begin(map[string]bool{})
		case '[':
			begin(nil)
		case '}', ']':
			open = open[:len(open)-1]
		case '"':
			end := stringEnd(b, i)
			text := b[i:end]
			i = end - 1
			rest := bytes.TrimLeft(b[end:min(len(b), end+16)], " \t\r\n")
			if len(rest) == 0 { // more white space than anyone writes
				rest = bytes.TrimLeft(b[end:], " \t\r\n")
			}
			if len(open) == 0 || open[len(open)-1].seen == nil || len(rest) == 0 || rest[0] != ':' {
				continue
			}
			var name string
			if json.Unmarshal(text, &name) != nil {
				continue
			}
			member = strings.ToLower(name)
			in := open[len(open)-1]
			if structural[in.of] {
				name = member
			}
			if in.seen[name] {
				return name, true
			}
			in.seen[name] = true
		}
	}
	return "", false
}

// stringEnd returns where the JSON string that begins at start ends: after the
// first quote that an even number of backslashes comes before.
func stringEnd(b []byte, start int) int {
	for i := start + 1; ; {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return len(b)
		}
		quote := i + n
		content := bytes.TrimRight(b[start+1:quote], "\\")
		if (quote-start-1-len(content))%2 == 0 {
			return quote + 1
		}
		i = quote + 1
	}
}

// parseDocument reads a manifest or an index, of which it returns one. The kind
// is what the document says of itself, else what the descriptor says; they must
// agree, and a document that could pass for both is refused (CVE-2021-41190).
func parseDocument(b []byte, mediaType string) (*manifestDoc, *indexDoc, error) {
	var kind struct {
		SchemaVersion int             `json:"schemaVersion"`
		MediaType     string          `json:"mediaType"`
		Config        json.RawMessage `json:"config"`
		Layers        json.RawMessage `json:"layers"`
		Manifests     json.RawMessage `json:"manifests"`
	}
	if err := decode(b, &kind); err != nil {
		return nil, nil, err
	}
	if kind.SchemaVersion != 2 {
		return nil, nil, fmt.Errorf("%w: schemaVersion is %d, expected 2", ErrInvalid, kind.SchemaVersion)
	}
	if kind.MediaType != "" && mediaType != "" && kind.MediaType != mediaType {
		return nil, nil, fmt.Errorf("%w: the document is %.80q, its descriptor says %.80q", ErrInvalid, kind.MediaType, mediaType)
	}
	if kind.MediaType != "" {
		mediaType = kind.MediaType
	}
	isIndex, isManifest := kind.Manifests != nil, kind.Config != nil || kind.Layers != nil
	switch {
	case isIndex && isManifest:
		return nil, nil, fmt.Errorf("%w: the document has the members of both a manifest and an index", ErrInvalid)
	case mediaType == mediaIndex || mediaType == dockerIndex, mediaType == "" && isIndex:
		var doc indexDoc
		if err := json.Unmarshal(b, &doc); err != nil {
			return nil, nil, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		return nil, &doc, nil
	case mediaType == mediaManifest || mediaType == dockerManifest, mediaType == "" && isManifest:
		var doc manifestDoc
		if err := json.Unmarshal(b, &doc); err != nil {
			return nil, nil, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		return &doc, nil, nil
	}
	return nil, nil, fmt.Errorf("%w: media type %.80q, expected an image manifest or index", ErrInvalid, mediaType)
}
