package harden

// elfRules are about how the programs and libraries of an image were linked, as checksec shows it.
var elfRules = []Rule{
	{
		ID: "elf-executable-stack", Severity: High,
		Title:    "has programs with stacks that are not executable",
		Why:      "an executable stack runs what an overflow writes there",
		Looks:    "PT_GNU_STACK of ELF files (NX)",
		Fix:      "link with -z noexecstack; mark assembler sources with .note.GNU-stack",
		Controls: Controls{NIST: "4.1.2"},
	},
	{
		ID: "elf-writable-code", Severity: High,
		Title:    "has programs without memory that is both writable and executable",
		Why:      "such memory runs what an intruder writes",
		Looks:    "segments with both flags, and DT_TEXTREL, of ELF files",
		Fix:      "compile with -fPIC; link without -N and -z notext",
		Controls: Controls{NIST: "4.1.2"},
	},
	{
		ID: "elf-rpath", Severity: Medium,
		Title:    "has programs that look for libraries where only root writes",
		Why:      "a library from a relative, writable or missing directory may be anybody's",
		Looks:    "DT_RPATH and DT_RUNPATH of ELF files: relative ones, those below /tmp, /home and the like, and those that the image's user may write",
		Fix:      "link without -rpath, or with $ORIGIN below a directory of root",
		Controls: Controls{NIST: "4.1.2"},
	},
	{
		ID: "elf-pie", Severity: Low,
		Title:    "has programs at random addresses",
		Why:      "a program at a fixed address is one that an exploit can aim at",
		Looks:    "ELF programs of type EXEC (PIE)",
		Fix:      "compile with -fPIE and link with -pie",
		Controls: Controls{NIST: "4.1.2"},
	},
	{
		ID: "elf-relro", Severity: Low,
		Title:    "has programs with read-only relocations",
		Why:      "a table of addresses that stays writable is where an exploit puts its own",
		Looks:    "PT_GNU_RELRO of dynamic ELF files (RELRO)",
		Fix:      "link with -z relro",
		Controls: Controls{NIST: "4.1.2"},
	},
	{
		ID: "elf-bind-now", Severity: Info,
		Title:    "has programs that resolve all symbols at the start",
		Why:      "only then the whole table of addresses is read-only",
		Looks:    "DF_BIND_NOW and DF_1_NOW of dynamic ELF programs (full RELRO)",
		Fix:      "link with -z now",
		Controls: Controls{NIST: "4.1.2"},
	},
	{
		ID: "elf-stack-protector", Severity: Info,
		Title:    "has programs with stack protectors",
		Why:      "they notice an overflow before it returns; a program without arrays on its stack needs none",
		Looks:    "calls of __stack_chk_fail from dynamic ELF programs",
		Fix:      "compile with -fstack-protector-strong",
		Controls: Controls{NIST: "4.1.2"},
	},
	{
		ID: "elf-fortify", Severity: Info,
		Title:    "has programs with checked library functions",
		Why:      "they notice an overflow of a buffer whose size the compiler knows",
		Looks:    "calls of memcpy, sprintf and the like from dynamic ELF programs without one of a checking variant",
		Fix:      "compile with -O2 -D_FORTIFY_SOURCE=3",
		Controls: Controls{NIST: "4.1.2"},
	},
}
