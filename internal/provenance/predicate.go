package provenance

// The predicate of SLSA provenance v1 (https://slsa.dev/spec/v1.0/provenance, Schema),
// as far as it is written here. in-toto's own Go types are either deprecated or made
// of protocol buffers, whose JSON differs from run to run.
type predicate struct {
	BuildDefinition buildDefinition `json:"buildDefinition"`
	RunDetails      runDetails      `json:"runDetails"`
}

type buildDefinition struct {
	BuildType            string       `json:"buildType"`
	ExternalParameters   external     `json:"externalParameters"`
	InternalParameters   internal     `json:"internalParameters"`
	ResolvedDependencies []descriptor `json:"resolvedDependencies,omitempty"`
}

type runDetails struct {
	Builder  builder  `json:"builder"`
	Metadata metadata `json:"metadata"`
}

type builder struct {
	ID      string            `json:"id"`
	Version map[string]string `json:"version,omitempty"`
}

type metadata struct {
	InvocationID string `json:"invocationId,omitempty"`
}

// descriptor is a ResourceDescriptor
// (https://github.com/in-toto/attestation/blob/main/spec/v1/resource_descriptor.md).
type descriptor struct {
	URI         string            `json:"uri,omitempty"`
	Digest      map[string]string `json:"digest,omitempty"` // by algorithm, in hex
	Name        string            `json:"name,omitempty"`
	MediaType   string            `json:"mediaType,omitempty"`
	Annotations map[string]any    `json:"annotations,omitempty"`
}
