// Package alternatives is dpkg's update-alternatives(1) over the tree of an
// image: link groups whose link leads through /etc/alternatives to one of several
// alternatives, and the administrative files below /var/lib/dpkg/alternatives.
//
// It promises the links, the bytes and the standard output of
// update-alternatives of dpkg 1.22, but for /var/log/alternatives.log, which has
// the time of day, and for the questions of --config.
//
// A [Set] is what is left of the time before scripts were interpreted.
package alternatives
