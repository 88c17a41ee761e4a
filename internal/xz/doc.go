// Package xz reads the format xz (https://tukaani.org/xz/xz-file-format.txt, version
// 1.2; numbers in comments are its sections), in which Debian packages and indexes
// come. It decodes what compressors write by default, LZMA2 alone, and hands streams
// with other filters to github.com/therootcompany/xz.
//
// It is here for its speed: decoding is half of what making layers costs. The 36
// packages of the benchmark take it 0.88 s of one core, xz 5.4.1 1.0 s, and the
// library, which is a translation of xz-embedded, 1.39 s. Every checksum and size of
// the format is verified; what it decodes is held against the library and against the
// test files of xz-utils.
package xz
