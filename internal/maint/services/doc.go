// Package services has the programs by which maintainer scripts enable and start
// services: deb-systemd-helper, deb-systemd-invoke, systemctl, update-rc.d,
// invoke-rc.d, service and systemd-tmpfiles, over the tree of an image.
//
// They promise the links, states and files that those of Debian 13 leave in a
// chroot in which a policy-rc.d denies every start: enabling works, nothing runs.
package services
