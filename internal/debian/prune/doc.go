// Package prune leaves out of a resolved set of packages those that are in it for
// maintainer scripts only. A build interprets the scripts, so that debconf, adduser,
// dpkg or openssl, which they call, need not be in the image.
//
// A table says which dependencies are for scripts only, with the reason and the
// packages whose own programs use the tool; what the table does not know counts as
// needed. Kept is what the requests lead to along the other dependencies. So a tool
// that is requested stays, and so does one that a kept package truly needs.
//
// It does not resolve: the set is apt's (internal/debian/resolve) and only gets
// smaller. It looks at relations and not into packages; what a left out package
// had for a program that stays is found by internal/harden/closure.
package prune
