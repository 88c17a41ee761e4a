package resolve

import (
	"fmt"
	"strings"
)

// RequestError says which request an error is about, so that a caller can put
// the request's place in front. Its text is the cause's.
type RequestError struct {
	Request Request
	Index   int // of the request in the list that Resolve was given
	Err     error
}

func (e *RequestError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *RequestError) Unwrap() error { return e.Err }

// UnknownPackageError says that no archive has a package of the name.
type UnknownPackageError struct {
	Name       string // with the architecture where the request has one
	Where      string // the archives and the architecture
	Suggestion string // the nearest name, or ""
}

func (e *UnknownPackageError) Error() string {
	s := fmt.Sprintf("package %q is not in %s", e.Name, e.Where)
	if e.Suggestion != "" {
		s += fmt.Sprintf("; did you mean %q?", e.Suggestion)
	}
	return s
}

// VirtualPackageError says that the name is no package's and that several
// packages, or for an exclusion any, provide it.
type VirtualPackageError struct {
	Name      string
	Providers []string // each with its version
	Excluded  bool
}

func (e *VirtualPackageError) Error() string {
	if e.Excluded {
		return fmt.Sprintf("%q cannot be excluded: it is a virtual package, provided by %s", e.Name, strings.Join(e.Providers, ", "))
	}
	return fmt.Sprintf("%q is a virtual package with several providers: %s", e.Name, strings.Join(e.Providers, ", "))
}

// Hint says what to do.
func (e *VirtualPackageError) Hint() string {
	if e.Excluded {
		return "exclude the providers by name"
	}
	return "name the provider that you want"
}

// NoVersionError says that no version matches a pin.
type NoVersionError struct {
	Name      string
	Pin       string
	Where     string   // the archives and the architecture
	Available []string // the versions there are, the newest first
}

func (e *NoVersionError) Error() string {
	return fmt.Sprintf("no version of %q matches %q in %s; there is %s", e.Name, e.Pin, e.Where, strings.Join(e.Available, ", "))
}

// ContradictionError says that a package is both requested and excluded, or
// requested in two versions.
type ContradictionError struct {
	Name     string
	Requests []string // the two that contradict each other, or nil for an exclusion
}

func (e *ContradictionError) Error() string {
	if len(e.Requests) > 0 {
		return fmt.Sprintf("package %q is requested in two versions, by %s", e.Name, strings.Join(e.Requests, " and "))
	}
	return fmt.Sprintf("package %q is both requested and excluded", e.Name)
}

// UnsatisfiableError says that the packages that the requests need cannot be
// installed, or not together.
type UnsatisfiableError struct {
	Name   string   // the request
	Chain  []string // from the request's package on, "foo 1.2", "bar (>= 2)"
	Reason string   // why the chain ends there
}

func (e *UnsatisfiableError) Error() string {
	return fmt.Sprintf("cannot install %q: %s: %s", e.Name, strings.Join(e.Chain, " -> "), e.Reason)
}

// InstalledError says that a system has a package already, and not as a request wants
// it.
type InstalledError struct {
	Name    string
	Version string // that is installed
	Request string
}

func (e *InstalledError) Error() string {
	return fmt.Sprintf("the base image has %s %s, which %q rules out", e.Name, e.Version, e.Request)
}
