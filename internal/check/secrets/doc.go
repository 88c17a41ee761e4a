// Package secrets finds secrets in files: keys, tokens and passwords, by the rules of
// gitleaks with the control of false positives that belongs to them (entropy, words
// and paths that are no secrets). A finding never holds the secret itself. A [Detector]
// searches text, base64 in it too; a [Blob] files that are no text, and archives one
// level deep, within bounds.
//
// The rules are gitleaks' own, taken as a library; how they are asked is written here,
// because gitleaks' detector links 109 packages more, readers of 7z, rar and zip among
// them, which nothing here needs and each verb would pay for at its start.
//
// What the rules are made of is compiled when the first text is looked at.
package secrets
