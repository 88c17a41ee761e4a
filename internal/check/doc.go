// Package check judges an image by the rules of package harden: hardpan's own images
// and anybody's.
//
// What is known of an image comes from package facts, which reads it once; each rule is
// a function over that, and answers passed, failed, waived or not applicable, with
// evidence: path, layer and value. A rule that cannot be asked of an image is never
// passed.
//
// A profile chooses rules, their severities and limits; waivers let findings pass, with
// a reason and until a day. The same image, profile and day give the same report, byte
// for byte. It prints nothing and runs nothing.
package check
