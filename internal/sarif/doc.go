// Package sarif writes findings as SARIF 2.1.0 (OASIS, Static Analysis Results
// Interchange Format, errata 01), which GitHub, GitLab and editors show beside the code.
//
// It has the part of the format that hardpan's verbs use, and one form of its bytes:
// equal runs give equal documents. What a finding is, how grave it is and where it lies
// its callers say.
package sarif
