// Package audit judges a Dockerfile or a spec without building it: what is wrong, on
// which line, how bad it is by CVSS, which weakness (CWE) and which controls it touches,
// and what to do; then what is done well, what is missing, and the risk of it all with
// its reasons.
//
// The rules are those of package harden: the ones for images, where the instructions show
// the same, and harden.SourceRules. Scores are those of CVSS v3.1 base vectors, one for
// each rule (score.go), computed by a library and held against the rules' severities by a
// test. The same file and the files beside it give the same report, byte for byte.
//
// Nothing is executed, fetched or resolved; only the directory of the file is read. What
// cannot be judged is said in the report and never passed over.
package audit
