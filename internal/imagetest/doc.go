// Package imagetest proves that the images of specs/images run. Its tests, which
// have RealArchive in their names, build every spec and variant there from the
// Debian archive of this machine, read the layers as a strict runtime would, look
// at what is in them, and run the programs: in namespaces that an ordinary user
// makes, and in podman with runc.
//
// It promises to take each spec of the folder, also one that is added later, and
// to fail for one that has no program here to run. What the host lacks for a part
// of the proof, that part's skip names. Nothing is written to the folder of the
// specs. The package has no code besides its tests.
package imagetest
