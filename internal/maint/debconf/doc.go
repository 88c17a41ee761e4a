// Package debconf answers the questions of maintainer scripts as debconf's
// noninteractive frontend does (debconf-devel(7), Debconf specification 2.1): with
// what the spec says, else with the defaults of the packages' templates.
//
// Scripts that source debconf's confmodule read [Sourced] instead, whose functions
// talk to [Debconf]; a package's config script runs when its preinst or postinst
// does so, as debconf's frontend makes it. There are no translations: the locale
// is C. Debconf's own database is not written into the image.
package debconf
