package resolve

import (
	"context"
	"flag"
	"strings"
	"testing"
)

// The benchmarks read a decompressed Packages index, as apt keeps one below
// /var/lib/apt/lists.
var benchIndex = flag.String("bench-index", "", "Packages index of amd64 that the benchmarks read")

func benchUniverse(b *testing.B) *Universe {
	if *benchIndex == "" {
		b.Skip("SKIPPED: -bench-index names no index")
	}
	u := NewUniverse("amd64")
	addIndex(b, u, *benchIndex, "debian/trixie")
	return u
}

// BenchmarkUniverse reads an index and makes a universe of it.
func BenchmarkUniverse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		benchUniverse(b)
	}
}

// BenchmarkResolve resolves the set of packages that the project is measured on.
func BenchmarkResolve(b *testing.B) {
	u := benchUniverse(b)
	var requests []Request
	for name := range strings.FieldsSeq(readFile(b, "testdata/bench-set.txt")) {
		requests = append(requests, Request{Name: name})
	}
	for b.Loop() {
		if _, err := Resolve(context.Background(), u, requests); err != nil {
			b.Fatal(err)
		}
	}
}
