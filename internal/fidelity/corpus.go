//go:build linux

package main

import (
	_ "embed"
	"strings"
)

// corpusText is the packages that a large public catalog of hardened images names,
// the most named first.
//
//go:embed corpus.txt
var corpusText string

// baseText is the essential packages of trixie and what they need: what
// mmdebstrap --variant=essential installs.
//
//go:embed base.txt
var baseText string

// baseCase is the name of the case that has the base alone.
const baseCase = "essential"

func corpus() []string { return strings.Fields(corpusText) }

func basePackages() []string { return strings.Fields(baseText) }

// otherArchCases is the number of cases for an architecture that this machine
// emulates.
const otherArchCases = 30

// sample returns n of the names, spread evenly, the same ones at every call.
func sample(names []string, n int) []string {
	n = min(n, len(names))
	var chosen []string
	for i := range n {
		chosen = append(chosen, names[(2*i+1)*len(names)/(2*n)])
	}
	return chosen
}
