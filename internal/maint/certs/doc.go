// Package certs makes what programs read as the certificates they trust: the
// names by which OpenSSL finds a certificate in a directory, and the keystore
// of Java.
//
// It reads PEM files and makes bytes, the same ones for the same input. Where
// they go, and from which files, is for package maint to say.
package certs
