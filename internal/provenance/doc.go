// Package provenance says how an image was built, as SLSA provenance v1
// (https://slsa.dev/spec/v1.0/provenance): from which spec and lock, out of which
// packages of which signed indexes, by which builder.
//
// It is made from the record that travels in the image and from the lock, so that
// whoever has both can make it again and compare. Nothing in it depends on the clock;
// a build on the same machine gives the same bytes, and one in CI names its run.
//
// It signs nothing (see internal/sign) and claims no level: who signs, and where the
// key is kept, decides that.
package provenance
