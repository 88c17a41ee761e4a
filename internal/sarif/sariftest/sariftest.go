// Package sariftest holds documents against the schema of SARIF, for tests.
package sariftest

import (
	_ "embed"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

//go:embed sarif-2.1.0.json
var text string // of OASIS, errata 01

var schema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	parsed, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("sarif.json", parsed); err != nil {
		return nil, err
	}
	return c.Compile("sarif.json")
})

// Validate fails the test where a document is not SARIF. name is what it is of.
func Validate(t testing.TB, name string, document []byte) {
	t.Helper()
	s, err := schema()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jsonschema.UnmarshalJSON(strings.NewReader(string(document)))
	if err == nil {
		err = s.Validate(parsed)
	}
	if err != nil {
		t.Errorf("%s: %v\n%s", name, err, document)
	}
}

// Same fails the test where a document is another than that of a file, but for the order
// of its keys.
func Same(t testing.TB, file string, document []byte) {
	t.Helper()
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var is, was any
	if err := json.Unmarshal(document, &is); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(want, &was); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(is, was) {
		t.Errorf("the document is\n%s\nwant that of %s", document, file)
	}
}
