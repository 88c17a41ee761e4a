package harden

import (
	"slices"

	"github.com/hardpan/hardpan/internal/harden/tool"
	"github.com/hardpan/hardpan/internal/tree"
)

// Rules is the table of all rules, in the order in which they are asked and told.
var Rules = slices.Concat(stripRules, toolRules, runRules, fileRules, originRules, elfRules)

// stripRules are those by which the builder leaves things out.
var stripRules = []Rule{
	{
		ID: "documentation", Profiles: []Profile{Strict, Standard}, Severity: Info,
		Title: "no documentation",
		Why:   "nobody reads manuals in a container; copyright files stay, since licences demand them",
		Looks: "files where manuals, info pages and package documentation lie",
		Fix:   "hardening profile standard or strict; in a Dockerfile path-exclude in /etc/dpkg/dpkg.cfg.d before packages are installed",
		Strip: &Strip{
			Drop: []string{"usr/share/doc/**", "usr/share/doc-base/**", "usr/share/man/**", "usr/**/man/man[1-9]/**", "usr/share/info/**", "usr/share/gtk-doc/**", "usr/share/help/**"},
			But:  []string{"usr/share/doc/*/copyright"},
		},
		Controls: Controls{CIS: "4.3", NIST: "4.1.2", CCI: "CCI-000381"},
	},
	{
		ID: "packaging-metadata", Profiles: []Profile{Strict, Standard}, Severity: Info,
		Title:    "no metadata of Debian's own tools",
		Why:      "only Debian's own tools read it",
		Looks:    "files of lintian, linda, reportbug and menu",
		Fix:      "hardening profile standard or strict",
		Strip:    &Strip{Drop: []string{"usr/share/lintian/**", "usr/share/linda/**", "usr/share/bug/**", "usr/share/menu/**"}},
		Controls: Controls{CIS: "4.3", NIST: "4.1.2", CCI: "CCI-000381"},
	},
	{
		ID: "translations", Profiles: []Profile{Strict}, Severity: Info,
		Title:    "no translations",
		Why:      "images speak C.UTF-8",
		Looks:    "files below /usr/share/locale",
		Fix:      "hardening profile strict; keep /usr/share/locale/LANGUAGE for those that are wanted",
		Strip:    &Strip{Drop: []string{"usr/share/locale/**"}, But: []string{"usr/share/locale/locale.alias"}},
		Controls: Controls{CIS: "4.3", NIST: "4.1.2", CCI: "CCI-000381"},
	},
	{
		ID: "shell-completion", Profiles: []Profile{Strict}, Severity: Info,
		Title:    "no completions for shells",
		Why:      "nobody types in a container",
		Looks:    "completions for bash, zsh and fish",
		Fix:      "hardening profile strict",
		Strip:    &Strip{Drop: []string{"usr/share/bash-completion/**", "usr/share/zsh/vendor-completions/**", "usr/share/fish/vendor_completions.d/**"}},
		Controls: Controls{CIS: "4.3", NIST: "4.1.2", CCI: "CCI-000381"},
	},
	{
		ID: "development-files", Profiles: []Profile{Strict}, Severity: Low,
		Title:    "no headers, static libraries or object files",
		Why:      "only compilers read them",
		Looks:    "headers, static libraries, object files, and the files of pkg-config, libtool and autoconf",
		Fix:      "leave out -dev packages; build in a stage and copy what runs",
		Kinds:    []tool.Kind{tool.Development},
		Strip:    &Strip{Drop: []string{"usr/include/**", "usr/lib/**/*.a", "usr/lib/**/*.la", "usr/lib/**/pkgconfig/**", "usr/share/pkgconfig/**", "usr/share/aclocal/**"}},
		Controls: Controls{CIS: "4.3", NIST: "4.1.2", CCI: "CCI-000381", Dockle: "DKL-LI-0003"},
	},
	{
		ID: "desktop-files", Profiles: []Profile{Strict}, Severity: Info,
		Title:    "no files of a desktop",
		Why:      "a container has no desktop",
		Looks:    "menu entries, icons and pixmaps",
		Fix:      "hardening profile strict",
		Strip:    &Strip{Drop: []string{"usr/share/applications/**", "usr/share/pixmaps/**", "usr/share/icons/**"}},
		Controls: Controls{CIS: "4.3", NIST: "4.1.2", CCI: "CCI-000381"},
	},
	{
		ID: "privilege-bits", Profiles: []Profile{Strict}, Severity: High,
		Title:    "no set-user-id or set-group-id bits and no file capabilities",
		Why:      "a program with a set-user-id or set-group-id bit or with capabilities gives its caller rights that the image's user must not gain",
		Looks:    "modes and security.capability attributes of files",
		Fix:      "hardening profile strict; in a Dockerfile leave out the program, or chmod u-s,g-s and setcap -r in the layer that adds it",
		Strip:    &Strip{Bits: tree.SetUID | tree.SetGID, Capabilities: true},
		Controls: Controls{CIS: "4.8 5.26", NIST: "4.1.2", CCI: "CCI-002235", Dockle: "CIS-DI-0008"},
	},
	{
		ID: "maintainer-script-tools", Profiles: []Profile{Strict}, Severity: Low,
		Title:    "no packages that only maintainer scripts need",
		Why:      "hardpan interprets maintainer scripts, so what only they call has nothing to do in an image",
		Looks:    "packages that others depend on for their maintainer scripts alone",
		Fix:      "hardening profile strict",
		Strip:    &Strip{Packages: true},
		Controls: Controls{CIS: "4.3", NIST: "4.1.2", CCI: "CCI-000381"},
	},
}
