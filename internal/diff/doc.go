// Package diff says how two images differ: packages, paths, config, layers, size, and
// the rules that one breaks and the other does not.
//
// It promises that the same two images give the same answer in the same order, and that
// it holds of any image, whoever built it. Content of files is compared by size and the
// MD5 sum that package facts has of it, as dpkg does. Values that the rules of check
// take for secrets are not shown.
//
// It opens nothing and prints nothing.
package diff
