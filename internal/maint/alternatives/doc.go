// Package alternatives keeps the alternatives of an image as dpkg's
// update-alternatives does: link groups in automatic mode, whose link leads
// through /etc/alternatives to the alternative of the highest priority, and
// the administrative files below /var/lib/dpkg/alternatives.
//
// It promises the links and bytes that update-alternatives(1) of dpkg 1.22
// makes, for groups that are installed once in a new system. An alternative or
// a slave whose file the tree does not have is left out, as its link would
// dangle. There is no manual mode and no removal.
package alternatives
