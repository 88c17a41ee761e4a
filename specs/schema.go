package specs

import (
	_ "embed"
	"slices"
)

// spec.schema.json is made from the spec's types, their struct tags and doc
// comments by schema_test.go, where the generator is, so that the program carries
// the result and not a parser of Go.
//
//go:generate go test -run ^TestSchemaIsCurrent$ . -update
//go:embed spec.schema.json
var schema []byte

// Schema returns the JSON Schema (draft 2020-12) of spec files, for editors: name
// it in a file's first line, "# yaml-language-server: $schema=PATH". It knows keys,
// types, formats and enumerations; what values say of each other only [Load] checks.
func Schema() ([]byte, error) { return slices.Clone(schema), nil }
