package ldso

import (
	"path"
	"strings"

	"github.com/hardpan/hardpan/internal/tree"
)

// legacyBits are the bits, in a cache of glibc 2.36 and older, of the
// subdirectories that hold libraries for some machines only (sysdeps/*/dl-procinfo
// of that release; removed in 2.37 for glibc-hwcaps). They are by triplet.
var legacyBits = map[string]map[string]uint{
	"x86_64-linux-gnu":    legacyX86,
	"i386-linux-gnu":      legacyX86,
	"aarch64-linux-gnu":   {"atomics": 8, "tls": 63},
	"arm-linux-gnueabihf": {"vfp": 6, "neon": 12, "tls": 15},
	"riscv64-linux-gnu":   {"tls": 63},
	"powerpc64le-linux-gnu": {
		"power6x": 9, "dfp": 10, "power5+": 17, "power5": 18, "power4": 19, "altivec": 28,
		"ppc970": 33, "power6": 36, "ppc-cell-be": 37, "power7": 39, "ppca2": 40, "ppc405": 41, "ppc440": 42,
		"ppc464": 43, "ppc476": 44, "power8": 45, "power9": 46, "power10": 47, "tls": 63,
	},
	"s390x-linux-gnu": {
		"zarch": 1, "ldisp": 4, "eimm": 5, "dfp": 6, "vx": 11, "vxe": 13, "vxe2": 15,
		"g5": 32, "z900": 33, "z990": 34, "z9-109": 35, "z10": 36, "z196": 37, "zEC12": 38, "z13": 39,
		"z14": 40, "z15": 41, "z16": 42, "tls": 63,
	},
}

var legacyX86 = map[string]uint{
	"sse2": 0, "x86_64": 1, "avx512_1": 2, "i586": 48, "i686": 49, "haswell": 50, "xeon_phi": 51, "tls": 63,
}

// legacySubdir queues the directory n of d, and reports that it did, if the image's
// glibc looks for libraries in directories of that name.
func (s *scanner) legacySubdir(d *directory, n *tree.Node) bool {
	if !s.libc.legacy || d.subdir != "" {
		return false
	}
	name := path.Base(n.Path)
	if _, ok := legacyBits[s.abi.Triplet][name]; !ok {
		return false
	}
	if target, err := s.t.Resolve(n.Path); err != nil || target.Type != tree.Dir {
		return false
	}
	s.queue(&directory{path: d.path + "/" + name})
	return true
}

// legacyHwcap returns the bits of the names that dir ends with.
func (s *scanner) legacyHwcap(d *directory) uint64 {
	if !s.libc.legacy || d.subdir != "" {
		return 0
	}
	var sum uint64
	for dir := d.path; ; {
		i := strings.LastIndexByte(dir, '/')
		bit, ok := legacyBits[s.abi.Triplet][dir[i+1:]]
		if i < 0 || !ok {
			return sum
		}
		sum += 1 << bit
		dir = dir[:i]
	}
}
