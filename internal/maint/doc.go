// Package maint installs packages into an image's tree as dpkg does: it runs their
// maintainer scripts, in dpkg's order and with its arguments and environment
// (Debian Policy chapter 6), and keeps what they did for the next image of the
// same packages.
//
// Nothing is executed. Package shell interprets the scripts; every command that
// they call is a Go function over the tree (packages text, files, accounts, dpkg,
// debconf and those beside them); so any architecture is installed anywhere, and
// a hostile script reaches nothing but the tree. Each path that a script makes or
// changes has package, script and command as its origin.
//
// A script that needs what is not provided ends the installation with its package,
// script, line and command; the spec can then leave the scripts of that package
// out, which [Report] says.
package maint
