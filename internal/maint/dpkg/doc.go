// Package dpkg has the programs of dpkg that maintainer scripts call, over a small
// model of what is installed: dpkg and dpkg-query as far as they only tell
// something, dpkg-divert, dpkg-statoverride, dpkg-trigger,
// dpkg-maintscript-helper, and the small ones that print constants.
//
// They print and return what those of dpkg 1.22 do. The database itself is never
// written into the image: diversions and overrides are kept by the [Dpkg] and the
// owner of the installation is told of them and of triggers.
//
// It installs, unpacks and configures nothing: that is its caller's work.
package dpkg
