//go:build race

package archive

// raceDetector: decoding 57 MB of xz takes most of a minute under it.
const raceDetector = true
