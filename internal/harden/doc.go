// Package harden holds the hardening policy: what is left out of an image where
// a package becomes a layer, and why.
//
// What is left out is in no layer at all, so nothing can be dug out of the image
// afterwards. Each thing that is left out is reported with the rule that said so.
package harden
