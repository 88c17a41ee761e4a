// Package profile writes what a platform should enforce for an image: Kubernetes and
// Compose manifests, network policies, options of docker run, profiles for seccomp and
// AppArmor, rules for Falco, a runtime class for gVisor, and admission policies.
//
// All of it follows from the image: from its config, from the record of its build, from
// the labels of docs/labels.md, and from the machine code of its programs. What none of
// these says is not made up: it is left out, and [Facts.Unknown] names it.
//
// Each format is one file that its own tools accept as it is. The same image gives
// the same bytes. The package reads images and writes no files.
package profile
