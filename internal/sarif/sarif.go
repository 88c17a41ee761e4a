package sarif

import (
	"bytes"
	"encoding/json"
	"net/url"
)

// Run is what one analysis of one thing gave (section 3.14).
type Run struct {
	Tool       Tool           `json:"tool"`
	Automation ID             `json:"automationDetails"`
	ColumnKind string         `json:"columnKind"`
	Artifacts  []Artifact     `json:"artifacts,omitempty"`
	Results    []Result       `json:"results"`
	Properties map[string]any `json:"properties,omitempty"`
}

// ID names a run among those of its kind (section 3.17).
type ID struct {
	ID string `json:"id"`
}

// Tool is what made a run.
type Tool struct {
	Driver Driver `json:"driver"`
}

// Driver is the program, with the rules that results refer to.
type Driver struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	Rules   []Rule `json:"rules"`
}

// Text is a message in plain text.
type Text struct {
	Text string `json:"text"`
}

// Rule is one rule (section 3.49).
type Rule struct {
	ID         string         `json:"id"`
	Short      Text           `json:"shortDescription"`
	Full       Text           `json:"fullDescription"`
	Help       Text           `json:"help"`
	Default    Configuration  `json:"defaultConfiguration"`
	Properties map[string]any `json:"properties"`
}

// Configuration has the level of a rule: "error", "warning" or "note".
type Configuration struct {
	Level string `json:"level"`
}

// Result is one answer of one rule (section 3.27).
type Result struct {
	RuleID       string            `json:"ruleId"`
	RuleIndex    int               `json:"ruleIndex"` // in the rules of the driver
	Kind         string            `json:"kind"`      // "fail", "pass" or "notApplicable"
	Level        string            `json:"level"`     // "none" of what did not fail
	Message      Text              `json:"message"`
	Locations    []Location        `json:"locations,omitempty"`
	Fingerprints map[string]string `json:"partialFingerprints,omitempty"`
	Suppressions []Suppression     `json:"suppressions,omitempty"`
	Properties   map[string]any    `json:"properties,omitempty"`
}

// Location is where a result lies (section 3.28).
type Location struct {
	Physical Physical  `json:"physicalLocation"`
	Logical  []Logical `json:"logicalLocations,omitempty"`
}

// Physical is a place in an artifact.
type Physical struct {
	Artifact Reference `json:"artifactLocation"`
	Region   *Region   `json:"region,omitempty"`
}

// Reference names an artifact.
type Reference struct {
	URI   string `json:"uri"`
	Index *int   `json:"index,omitempty"` // in the artifacts of the run
}

// Region is a line and a column, from 1; a column of 0 is none.
type Region struct {
	StartLine   int `json:"startLine"`
	StartColumn int `json:"startColumn,omitempty"`
}

// Logical is a place that is not in a file, such as a layer.
type Logical struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
}

// Suppression says why a result is not to be acted upon (section 3.35).
type Suppression struct {
	Kind          string `json:"kind"`
	Status        string `json:"status"`
	Justification string `json:"justification"`
}

// Artifact is a file that was looked at (section 3.24).
type Artifact struct {
	Location Reference         `json:"location"`
	Hashes   map[string]string `json:"hashes"`
}

// NewRun returns a run of hardpan without rules and results. id is what it is about.
func NewRun(version, id string) Run {
	return Run{
		Tool: Tool{Driver{Name: "hardpan", Version: version, Rules: []Rule{}}}, Automation: ID{id},
		ColumnKind: "unicodeCodePoints", Results: []Result{},
	}
}

// Encode writes the runs as one document.
func Encode(runs ...Run) ([]byte, error) {
	log := struct {
		Schema  string `json:"$schema"`
		Version string `json:"version"`
		Runs    []Run  `json:"runs"`
	}{"https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json", "2.1.0", append([]Run{}, runs...)}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(log)
	return b.Bytes(), err
}

// URI is a path with slashes as a relative reference (RFC 3986, section 4.2).
func URI(name string) string {
	if name == "" {
		return "."
	}
	return (&url.URL{Path: name}).String()
}
