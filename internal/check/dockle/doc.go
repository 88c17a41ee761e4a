// Package dockle has nothing but a module, of which Dockle is the tool: the tests of
// package check build it and compare what it finds in images with what hardpan does.
// A module of its own keeps its dependencies, of the versions that its release names,
// out of the product.
package dockle
