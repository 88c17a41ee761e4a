// Package apache is a2enmod(8) and its like over the tree of an image: the modules,
// sites and configuration files of Debian's apache2 are enabled by links.
//
// It promises the links, the markers below /var/lib/apache2, the output and the
// statuses of the program of apache2 2.4.
package apache
