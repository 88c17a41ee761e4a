// Package harden holds the table of hardening rules: what each one asks of an image,
// why, how to fix what breaks it, and which controls of others it answers.
//
// One table serves three ends. The builder leaves out what a rule says where a package
// becomes a layer; it refuses files that a rule names by what they are (package tool);
// and any image is judged by the same rules.
//
// What is left out is in no layer at all, so nothing can be dug out of the image
// afterwards. Each thing that is left out is reported with the rule that said so.
package harden
