// Package sboms will describe a built image as SPDX and CycloneDX documents, made
// from the record of its build and not by scanning it afterwards. It holds nothing
// yet.
package sboms
