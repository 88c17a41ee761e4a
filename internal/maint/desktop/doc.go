// Package desktop has the programs by which packages tell desktops what is
// installed, as maintainer scripts and triggers call them: gtk-update-icon-cache,
// update-mime-database, update-desktop-database, fc-cache, gdk-pixbuf-query-loaders
// and the other programs that list modules, mandb and install-info.
//
// They promise the bytes that the programs of Debian 13 write. Where these would
// run the code of a module to ask what it is for, package desktop knows the answers
// of Debian's modules, and refuses others. Caches that hold times, and are made again
// when they are missing, are left out: fontconfig's, and man-db's index.
package desktop
