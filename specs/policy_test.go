package specs

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

// policyText has every key of a policy.
const policyText = `apiVersion: hardpan/policy-v1
name: ours
signers:
  at-least: 2
  keys:
    - {name: release, file: key.asc}
    - {name: security, fingerprint: "SHA256:0123456789012345678901234567890123456789012"}
  identities:
    - {name: ci, identity: "https://github.com/example/*", issuer: "https://token.actions.githubusercontent.com"}
attestations: [spdx, tests, "https://example.com/review"]
builders: [{id: "https://github.com/example/*", level: 3, signed-by: [ci]}]
slsa-level: 3
sources: ["git+https://github.com/example/images@*"]
age: {image: 30d, archive: 14d, unexpired: true}
archives: [debian/trixie*]
bases: [scratch]
packages: {denied: [telnet], minimum: {openssl: 3.5.0-1}}
hardening: {fail-on: high, rules: [shell-present], waivers: [root-user]}
platforms: [linux/amd64]
rebuild: true
`

func TestPolicy(t *testing.T) {
	dir := writeFiles(t, "key.asc", "key")
	p, err := ParsePolicy(dir+"/policy.yaml", []byte(policyText))
	if err != nil {
		t.Fatal(err)
	}
	var empty func(v reflect.Value, path string)
	empty = func(v reflect.Value, path string) {
		switch {
		case v.Kind() == reflect.Pointer && !v.IsNil():
			empty(v.Elem(), path)
		case v.Kind() == reflect.Struct && len(fieldsOf(v.Type())) > 0:
			for _, f := range fieldsOf(v.Type()) {
				empty(v.FieldByIndex(f.index), join(path, f.name))
			}
		case v.IsZero():
			t.Errorf("%s has no value", path)
		}
	}
	v := *p
	v.Signers.Keys, v.Signers.Identities, v.Builders = v.Signers.Keys[:1], v.Signers.Identities[:1], v.Builders[:1]
	empty(reflect.ValueOf(v), "")
	f, err := p.OpenKey("key.asc")
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if _, err := p.OpenKey("../key.asc"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("another file's error is %v", err)
	}

	c := jsonschema.NewCompiler()
	schema, err := jsonschema.UnmarshalJSON(strings.NewReader(string(PolicySchema())))
	if err == nil {
		err = c.AddResource("policy.schema.json", schema)
	}
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("policy.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(policyText), &doc); err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(asJSON(t, &doc)); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{`{"apiVersion": "hardpan/v1"}`, `{"apiVersion": "hardpan/policy-v1", "x": 1}`, `{"apiVersion": "hardpan/policy-v1", "age": {"image": "3"}}`} {
		var v any
		if err := json.Unmarshal([]byte(bad), &v); err != nil {
			t.Fatal(err)
		}
		if s.Validate(v) == nil {
			t.Errorf("the schema takes %s", bad)
		}
	}
}

// TestBadPolicy has what is wrong with policies, each below a right first line.
func TestBadPolicy(t *testing.T) {
	dir := writeFiles(t, "key.asc", "key")
	for _, test := range []struct{ text, want, hint string }{
		{"age: {image: 30}", "2:14: age.image: found the number 30, expected text", `quote it: "30"`},
		{"age: {image: 3w}", `2:14: age.image: found "3w", expected days such as 30d`, ""},
		{"sign: {}", `2:1: unknown key "sign"`, "the keys are"},
		{"attestations: [spdxx]", `2:16: attestations[0]: found "spdxx", expected spdx, cyclonedx, provenance, lock, spec, tests, hardening, openvex, vuln or a URI; did you mean "spdx"?`, ""},
		{"attestations: [spdx, spdx]", `2:22: attestations: duplicate item "spdx"; the first is at`, ""},
		{"signers: {keys: [{name: a}]}", "2:18: signers.keys[0]: expected either file or fingerprint", ""},
		{"signers: {keys: [{name: a, file: none}]}", `2:34: signers.keys[0].file: cannot read "none": no such file or directory`, ""},
		{"signers: {keys: [{name: a, file: ../k}]}", "signers.keys[0].file: found", ""},
		{"signers: {at-least: 2, keys: [{name: a, file: key.asc}]}", "2:21: signers.at-least: found 2, there are 1 signers", ""},
		{"signers: {keys: [{name: a, file: key.asc}], identities: [{name: a, identity: x, issuer: \"https://x\"}]}", `signers: "a" is the name of a key, too`, ""},
		{"signers: {keys: [{name: a, fingerprint: \"SHA256:x\"}]}", `signers.keys[0].fingerprint: found "SHA256:x", expected SHA256: and 43`, ""},
		{"builders: [{id: a, level: 2}]", "2:27: builders[0].level: found 2, which nobody can know of a builder whose signature anybody may have made", "signed-by"},
		{"builders: [{id: a, level: 2, signed-by: [b]}]", `2:42: builders[0].signed-by: "b" is no signer of the policy`, ""},
		{"slsa-level: 2", "2:13: slsa-level: found 2, the builders are believed to reach 1 at most", ""},
		{"slsa-level: 4", "2:13: slsa-level: found the number 4, expected a whole number from 1 to 3", ""},
		{"packages: {minimum: {openssl: latest}}", `2:31: packages.minimum.openssl: found "latest", expected a version of a Debian package`, ""},
		{"hardening: {fail-on: hihg}", `hardening.fail-on: found "hihg", expected info, low, medium, high or critical; did you mean "high"?`, ""},
		{"platforms: [linux/vax]", "platforms[0]: ", ""},
		{"rebuild: sometimes", "rebuild: found the text \"sometimes\", expected true or false", ""},
		{"---\na: b", "found a second document", ""},
	} {
		_, err := ParsePolicy(dir+"/policy.yaml", []byte("apiVersion: hardpan/policy-v1\n"+test.text+"\n"))
		e, ok := errors.AsType[Errors](err)
		if !ok || !strings.Contains(err.Error(), "policy.yaml:") || !strings.Contains(err.Error(), test.want) || !strings.Contains(e[0].Advice, test.hint) {
			t.Errorf("%s: error is %v (%+v), want %q", test.text, err, e, test.want)
		}
	}
	for text, want := range map[string]string{
		"":                          "policy.yaml:1:1: policy is empty",
		"[]":                        "policy.yaml:1:1: policy: found a list, expected a mapping",
		"name: a":                   "policy.yaml:1:1: policy: apiVersion is missing",
		"apiVersion: hardpan/v1":    `policy.yaml:1:13: apiVersion: found "hardpan/v1", expected hardpan/policy-v1`,
		"apiVersion: \"\x01\"":      "found control character",
		"apiVersion: !!binary aGk=": "found the YAML tag",
	} {
		if _, err := ParsePolicy(dir+"/policy.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error is %v, want %q", text, err, want)
		}
	}
	if _, err := LoadPolicy(dir + "/none.yaml"); err == nil || !strings.HasSuffix(err.Error(), "none.yaml: cannot read policy: no such file or directory") {
		t.Errorf("error is %v", err)
	}
}

// FuzzPolicy reads any policy: nothing may panic, and each error must say where.
func FuzzPolicy(f *testing.F) {
	f.Add([]byte(policyText))
	dir := writeFiles(f, "key.asc", "key")
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePolicy(dir+"/policy.yaml", b)
		if err == nil {
			p.Position("signers", "keys", 0)
			return
		}
		var all Errors
		if !errors.As(err, &all) || len(all) == 0 {
			t.Fatalf("found error %#v, expected Errors", err)
		}
		for _, e := range all {
			if e.Position.File == "" || e.Message == "" {
				t.Errorf("an error that does not say where or what: %#v", e)
			}
		}
	})
}
