package specs

// badValues are wrong in a value, or in what values say of each other.
var badValues = []badSpec{
	// Name, version, distro, platforms.
	{name: "name with a capital", whole: true, spec: `apiVersion: hardpan/v1
name: App
version: "1"
distro: debian/trixie
`, want: `
spec.yaml:2:7: name: found "App", expected a repository name: lower-case letters and digits, with single . _ - or / between them`},
	{name: "name with a tag", whole: true, spec: `apiVersion: hardpan/v1
name: app:1
version: "1"
distro: debian/trixie
`, want: `
spec.yaml:2:7: name: found "app:1", expected a repository name: lower-case letters and digits, with single . _ - or / between them`},
	{name: "version with a plus", whole: true, spec: `apiVersion: hardpan/v1
name: app
version: "1+2"
distro: debian/trixie
`, want: `
spec.yaml:3:10: version: found "1+2", expected a tag: at most 128 letters, digits, dots, dashes and underscores`},
	{name: "empty version", whole: true, spec: `apiVersion: hardpan/v1
name: app
version: ""
distro: debian/trixie
`, want: `
spec.yaml:3:10: version: found an empty value, expected one`},
	{name: "distro without family", whole: true, spec: `apiVersion: hardpan/v1
name: app
version: "1"
distro: trixie
`, want: `
spec.yaml:4:9: distro: found "trixie", expected debian/CODENAME such as debian/trixie
  hint: write debian/trixie`},
	{name: "distro of another family", whole: true, spec: `apiVersion: hardpan/v1
name: app
version: "1"
distro: alpine/3.20
`, want: `
spec.yaml:4:9: distro: found "alpine/3.20", expected debian/CODENAME such as debian/trixie`},
	{name: "platform in Debian's words", spec: `
platforms: [linux/armhf, amd64, windows/amd64]
`, want: `
spec.yaml:5:13: platforms[0]: found "linux/armhf", expected a platform that Debian builds for
  hint: write linux/arm/v7
spec.yaml:5:26: platforms[1]: found "amd64", expected a platform that Debian builds for
  hint: write linux/amd64
spec.yaml:5:33: platforms[2]: found "windows/amd64", expected a platform that Debian builds for
  hint: one of linux/amd64, linux/arm64, linux/arm/v7, linux/arm/v5, linux/386, linux/ppc64le, linux/riscv64, linux/s390x`},
	{name: "platform twice", spec: `
platforms: [linux/amd64, linux/arm64, linux/amd64]
`, want: `
spec.yaml:5:39: platforms: duplicate item "linux/amd64"; the first is at spec.yaml:5:13`},
	{name: "platform removed that is not there", spec: `
platforms: [linux/amd64, "!linux/arm64"]
`, want: `
spec.yaml:5:26: platforms: "!linux/arm64" removes nothing that the spec inherits`},
	// Packages and repositories.
	{name: "package names", spec: `
contents:
  packages: [Bash, "bash >= 5", x, bash=, "!bash=5", _a]
`, want: `
spec.yaml:6:14: contents.packages[0]: found "Bash", expected a package: name, name:arch, name=version, or !name
  hint: write bash
spec.yaml:6:20: contents.packages[1]: found "bash >= 5", expected a package: name, name:arch, name=version, or !name
spec.yaml:6:33: contents.packages[2]: found "x", expected a package: name, name:arch, name=version, or !name
spec.yaml:6:36: contents.packages[3]: found "bash=", expected a package: name, name:arch, name=version, or !name
spec.yaml:6:43: contents.packages[4]: found "!bash=5", expected a package: name, name:arch, name=version, or !name
spec.yaml:6:54: contents.packages[5]: found "_a", expected a package: name, name:arch, name=version, or !name`},
	{name: "package twice", spec: `
contents:
  packages:
    - curl
    - bash
    - curl=8.*
    - "!bash"
    - "!zsh"
    - "!zsh"
`, want: `
spec.yaml:9:7: contents.packages: duplicate package "curl"; the first is at spec.yaml:7:7
spec.yaml:10:7: contents.packages: bash is excluded here and requested at spec.yaml:8:7
spec.yaml:12:7: contents.packages: duplicate exclusion of "!zsh"; the first is at spec.yaml:11:7`},
	{name: "credentials in a repository", spec: `
contents:
  repositories:
    - {uri: "https://me:secret@example.com/debian", suite: stable, components: [main], signed-by: key.asc}
`, want: `
spec.yaml:7:13: contents.repositories[0].uri: found credentials in an address, expected none
  hint: put them into ~/.netrc or the environment; a spec is published`},
	{name: "repository without key", spec: `
contents:
  repositories:
    - {uri: "https://example.com/debian", suite: stable, components: [main]}
`, want: `
spec.yaml:7:7: contents.repositories[0]: signed-by is missing`},
	{name: "repository", spec: `
contents:
  repositories:
    - {uri: "ftp://example.com/debian", suite: ../stable, components: [main], signed-by: missing.asc}
    - {uri: "https:///debian", suite: stable, components: [main], signed-by: ../key.asc}
    - {uri: "https://example.com/debian?token=x", suite: stable, signed-by: key.asc}
    - {uri: "https://example.com/debian", suite: ./, components: [main], signed-by: key.asc}
`, want: `
spec.yaml:7:13: contents.repositories[0].uri: found "ftp://example.com/debian", expected an http, https or file address
spec.yaml:7:48: contents.repositories[0].suite: found "../stable", expected a suite such as stable
spec.yaml:7:90: contents.repositories[0].signed-by: cannot read "missing.asc": no such file or directory
spec.yaml:8:13: contents.repositories[1].uri: found "https:///debian", expected an address with a host
spec.yaml:8:78: contents.repositories[1].signed-by: found "../key.asc", expected a file at or below the spec's directory, without ".."
  hint: move the file beside the spec`},
	{name: "repositories that do not fit", spec: `
contents:
  repositories:
    - {uri: "https://example.com/debian?token=x", suite: stable, signed-by: key.asc}
    - {uri: "https://example.com/debian", suite: ./, components: [main], signed-by: key.asc}
`, want: `
spec.yaml:7:7: contents.repositories[0]: components is missing
  hint: add components: [main]
spec.yaml:7:13: contents.repositories[0].uri: found a query, expected an address without
spec.yaml:8:54: contents.repositories[1].components: found components, expected none for the flat archive "./"`},
	{name: "repository twice", spec: `
contents:
  repositories:
    - {uri: "https://example.com/debian", suite: stable, components: [main], signed-by: key.asc}
    - {uri: "https://example.com/debian", suite: stable, components: [contrib], signed-by: key.asc}
`, want: `
spec.yaml:8:13: contents.repositories: duplicate entry "https://example.com/debian stable"; the first is at spec.yaml:7:13`},
	// Accounts.
	{name: "names", spec: `
accounts:
  users: [{name: App, uid: 1000, gid: 100}, {name: abcdefghijklmnopqrstuvwxyzabcdefg, uid: 1001, gid: 100}]
  groups: [{name: 1st, gid: 1000}]
`, want: `
spec.yaml:6:18: accounts.users[0].name: found "App", expected a name by Debian's rules: a lower-case letter, then lower-case letters, digits, - and _, at most 32
spec.yaml:6:52: accounts.users[1].name: found "abcdefghijklmnopqrstuvwxyzabcdefg", expected a name by Debian's rules: a lower-case letter, then lower-case letters, digits, - and _, at most 32
spec.yaml:7:19: accounts.groups[0].name: found "1st", expected a name by Debian's rules: a lower-case letter, then lower-case letters, digits, - and _, at most 32`},
	{name: "ids out of range", spec: `
accounts:
  users: [{name: a, uid: -1, gid: 100}, {name: b, uid: 4294967295, gid: 100}]
`, want: `
spec.yaml:6:26: accounts.users[0].uid: found the number -1, expected a whole number from 0 to 4294967294
spec.yaml:6:56: accounts.users[1].uid: found the number 4294967295, expected a whole number from 0 to 4294967294`},
	{name: "user twice", spec: `
accounts:
  users:
    - {name: app, uid: 1000, gid: 100}
    - {name: app, uid: 1001, gid: 100}
`, want: `
spec.yaml:8:14: accounts.users: duplicate name "app"; the first is at spec.yaml:7:14`},
	{name: "uid twice", spec: `
accounts:
  users:
    - {name: one, uid: 1000, gid: 100}
    - {name: two, uid: 1000, gid: 100}
    - {name: three, uid: 33, gid: 100}
    - {name: www-data, uid: 1033, gid: 33}
`, want: `
spec.yaml:8:24: accounts.users[1].uid: 1000 is already the id of user "one"
spec.yaml:9:26: accounts.users[2].uid: 33 is already the id of user "www-data"
spec.yaml:10:29: accounts.users[3].uid: found 1033, expected 33, the id that Debian gives user "www-data"`},
	{name: "gid twice", spec: `
accounts:
  groups:
    - {name: one, gid: 1000}
    - {name: two, gid: 1000}
    - {name: three, gid: 0}
    - {name: adm, gid: 40}
`, want: `
spec.yaml:8:24: accounts.groups[1].gid: 1000 is already the id of group "one"
spec.yaml:9:26: accounts.groups[2].gid: 0 is already the id of group "root"
spec.yaml:10:24: accounts.groups[3].gid: 40 is already the id of group "src"`},
	{name: "unknown group", spec: `
accounts:
  users:
    - {name: app, uid: 1000}
`, want: `
spec.yaml:7:7: accounts.users[0].gid: 1000 is neither a declared group nor one of Debian's base groups
  hint: add {name: app, gid: 1000} to accounts.groups`},
	{name: "unknown member", spec: `
accounts:
  groups:
    - {name: app, gid: 1000, members: [ngnix]}
  users:
    - {name: nginx, uid: 1000, gid: 1000}
`, want: `
spec.yaml:7:40: accounts.groups[0].members[0]: user "ngnix" is neither declared nor one of Debian's base users; did you mean "nginx"?
  hint: declare it in accounts.users; one that a package makes has to be declared, too`},
	{name: "unknown run-as", spec: `
accounts:
  run-as: ap
  users: [{name: app, uid: 1000, gid: 100}]
`, want: `
spec.yaml:6:11: accounts.run-as: user "ap" is neither declared nor one of Debian's base users; did you mean "app"?
  hint: declare it in accounts.users; one that a package makes has to be declared, too`},
	{name: "run-as with an unknown group", spec: `
accounts: {run-as: "0:wheel"}
`, want: `
spec.yaml:5:20: accounts.run-as: group "wheel" is neither declared nor one of Debian's base groups
  hint: declare it in accounts.groups; one that a package makes has to be declared, too`},
	{name: "run-as out of range", spec: `
accounts: {run-as: "4294967295"}
`, want: `
spec.yaml:5:20: accounts.run-as: found "4294967295", expected an id from 0 to 4294967294`},
	{name: "run-as", spec: `
accounts: {run-as: "a b"}
`, want: `
spec.yaml:5:20: accounts.run-as: found "a b", expected a user, "uid", "uid:gid" or "user:group"`},
	{name: "colon in a field of passwd", spec: `
accounts:
  users: [{name: app, uid: 1000, gid: 100, home: /a:b, gecos: "a:b"}]
`, want: `
spec.yaml:6:50: accounts.users[0].home: found "/a:b", expected an absolute path without a colon
spec.yaml:6:63: accounts.users[0].gecos: found "a:b", expected text without a colon`},
	{name: "uid is missing", spec: `
accounts: {users: [{name: app}]}
`, want: `
spec.yaml:5:20: accounts.users[0]: uid is missing`},
	// Images.
	{name: "base images", spec: `
from: debian
`, want: `
spec.yaml:5:7: from: found "debian", expected an image such as registry/name@sha256:..., registry/name:tag or oci:PATH
  hint: add the tag, or the digest as @sha256:...`},
	{name: "base image by another name", spec: `
from: docker://registry.example.com/base:1
`, want: `
spec.yaml:5:7: from: found "docker://registry.example.com/base:1", expected an image such as registry/name@sha256:..., registry/name:tag or oci:PATH
  hint: write registry.example.com/base:1`},
	{name: "base image by its path", spec: `
from: ../dist/base.tar
flatten: yes please
`, want: `
spec.yaml:5:7: from: found "../dist/base.tar", expected an image such as registry/name@sha256:..., registry/name:tag or oci:PATH
  hint: write oci:PATH for a layout, oci-archive:PATH for an archive
spec.yaml:6:10: flatten: found the text "yes please", expected true or false`},
	{name: "base image with half a digest", spec: `
from: registry.example.com/base@sha256:e3b0c442
`, want: `
spec.yaml:5:7: from: found "registry.example.com/base@sha256:e3b0c442", expected an image such as registry/name@sha256:..., registry/name:tag or oci:PATH`},
	{name: "path of a base image", spec: `
from: oci:dist/./base
`, want: `
spec.yaml:5:7: from: found "oci:dist/./base", expected a clean path
  hint: write oci:dist/base`},
	{name: "nothing to flatten", spec: `
flatten: true
`, want: `
spec.yaml:5:10: flatten: found true, expected an image in from
  hint: say with from which image is rewritten, or remove flatten`},
	{name: "stages from images", spec: `
stages:
  - {name: a, from: Debian}
  - {name: b, from: debian}
  - {name: c, from: "debian:trixie", contents: {packages: [gcc]}}
  - {name: d, from: ./a}
variants: {v: {from: "debian:trixie"}}
`, want: `
spec.yaml:6:21: stages[0].from: found "Debian", expected an earlier stage, or an image such as registry/name@sha256:..., registry/name:tag or oci:PATH
spec.yaml:9:21: stages[3].from: found "./a", expected an earlier stage, or an image such as registry/name@sha256:..., registry/name:tag or oci:PATH
  hint: write oci:PATH for a layout, oci-archive:PATH for an archive
spec.yaml:10:16: key "from" in variants.v, which all variants share
  hint: set it in the spec itself`},
	{name: "contents of a stage that starts from an image", spec: `
stages:
  - {name: b, from: debian}
  - {name: c, from: "debian:trixie", contents: {packages: [gcc]}}
`, want: `
spec.yaml:6:21: stages[0].from: "debian" is not an earlier stage
  hint: an image has a tag or a digest: debian:TAG, debian@sha256:...
spec.yaml:7:38: stages[1].contents: found contents, expected none in a stage that starts from an image
  hint: leave out from, or install the packages in the image that it names`},
	// Paths.
	{name: "paths", spec: `
paths:
  - {path: app, type: directory}
  - {path: /app/../etc, type: directory}
  - {path: /app/, type: directory}
  - {path: /a//b, type: directory}
  - {path: "/a\nb", type: directory}
  - {path: /a/.wh.b, type: directory}
  - {path: /, type: directory}
  - {path: "", type: directory}
`, want: `
spec.yaml:6:12: paths[0].path: found "app", expected an absolute path
spec.yaml:7:12: paths[1].path: found "/app/../etc", expected a path without ".."
spec.yaml:8:12: paths[2].path: found "/app/", expected a clean path
  hint: write /app
spec.yaml:9:12: paths[3].path: found "/a//b", expected a clean path
  hint: write /a/b
spec.yaml:10:12: paths[4].path: found "/a\nb", expected text without control characters
spec.yaml:11:12: paths[5].path: found "/a/.wh.b", expected no name that begins with ".wh."
  hint: image layers use such names for deletions
spec.yaml:13:12: paths[7].path: found an empty value, expected one`},
	{name: "path twice", spec: `
paths:
  - {path: /app, type: directory}
  - {path: /app, type: empty-file}
`, want: `
spec.yaml:7:12: paths: duplicate path "/app"; the first is at spec.yaml:6:12`},
	{name: "path below a file", spec: `
paths:
  - {path: /app, type: empty-file}
  - {path: /app/data, type: directory}
`, want: `
spec.yaml:7:12: paths[1].path: "/app/data" lies below "/app", which has type empty-file`},
	{name: "types", spec: `
paths:
  - {path: /a, type: dir}
  - {path: /b}
  - {path: /c, type: symlnk, target: /a}
`, want: `
spec.yaml:6:22: paths[0].type: found "dir", expected directory, empty-file, file, symlink, hardlink or permissions
spec.yaml:7:5: paths[1]: type is missing
spec.yaml:8:22: paths[2].type: found "symlnk", expected directory, empty-file, file, symlink, hardlink or permissions; did you mean "symlink"?`},
	{name: "modes", spec: `
paths:
  - {path: /a, type: directory, mode: 0750}
  - {path: /b, type: directory, mode: 750}
  - {path: /c, type: directory, mode: "0o750"}
  - {path: /d, type: directory, mode: "0788"}
  - {path: /e, type: directory, mode: "17777"}
  - {path: /f, type: directory, mode: u+rwx}
`, want: `
spec.yaml:6:39: paths[0].mode: found the number 0750, expected a quoted octal mode
  hint: quote it: "0750"
spec.yaml:7:39: paths[1].mode: found the number 750, expected a quoted octal mode
  hint: quote it: "0750"
spec.yaml:8:39: paths[2].mode: found "0o750", expected a quoted octal mode such as "0644"
spec.yaml:9:39: paths[3].mode: found "0788", expected a quoted octal mode such as "0644"
spec.yaml:10:39: paths[4].mode: found "17777", expected a quoted octal mode such as "0644"
spec.yaml:11:39: paths[5].mode: found "u+rwx", expected a quoted octal mode such as "0644"`},
	{name: "keys that a type needs", spec: `
paths:
  - {path: /a, type: file}
  - {path: /b, type: file, content: x, source: beside.txt}
  - {path: /c, type: symlink}
  - {path: /d, type: hardlink, target: beside}
  - {path: /e, type: permissions}
  - {path: /f, type: file, content: ""}
`, want: `
spec.yaml:6:5: paths[0]: type file needs either content or source
  hint: for a file of no bytes write type: empty-file
spec.yaml:7:5: paths[1]: type file needs either content or source
  hint: for a file of no bytes write type: empty-file
spec.yaml:8:5: paths[2]: type symlink needs target
spec.yaml:9:40: paths[3].target: found "beside", expected an absolute path
spec.yaml:10:5: paths[4]: type permissions needs mode, uid or gid
spec.yaml:11:5: paths[5]: type file needs either content or source
  hint: for a file of no bytes write type: empty-file`},
	{name: "keys that a type does not have", spec: `
paths:
  - {path: /a, type: directory, content: x}
  - {path: /b, type: symlink, target: /a, mode: "0777"}
  - {path: /c, type: empty-file, recursive: true}
  - {path: /d, type: hardlink, target: /e, uid: 0}
  - {path: /e, type: directory, content: ""}
`, want: `
spec.yaml:6:42: paths[0]: type directory has no content
spec.yaml:7:49: paths[1]: type symlink has no mode
spec.yaml:8:45: paths[2]: type empty-file has no recursive
spec.yaml:9:49: paths[3]: type hardlink has no uid
spec.yaml:10:42: paths[4]: type directory has no content`},
	{name: "sources", spec: `
paths:
  - {path: /a, type: file, source: missing.txt}
  - {path: /b, type: file, source: ../spec.yaml}
  - {path: /c, type: file, source: /etc/passwd}
  - {path: /d, type: file, source: ./beside.txt}
  - {path: /e, type: file, source: .}
`, want: `
spec.yaml:6:36: paths[0].source: cannot read "missing.txt": no such file or directory
spec.yaml:7:36: paths[1].source: found "../spec.yaml", expected a file at or below the spec's directory, without ".."
  hint: move the file beside the spec
spec.yaml:8:36: paths[2].source: found "/etc/passwd", expected a file at or below the spec's directory
  hint: write it relative to the spec
spec.yaml:9:36: paths[3].source: found "./beside.txt", expected a clean path of a file
  hint: write beside.txt
spec.yaml:10:36: paths[4].source: found ".", expected a clean path of a file`},
	{name: "link to itself", spec: `
paths:
  - {path: /a/b, type: symlink, target: b}
  - {path: /a/c, type: symlink, target: ../a/c}
  - {path: /a/d, type: hardlink, target: /a/d}
`, want: `
spec.yaml:6:41: paths[0].target: "/a/b" is a link to itself
spec.yaml:7:41: paths[1].target: "/a/c" is a link to itself
spec.yaml:8:42: paths[2].target: "/a/d" is a link to itself`},
	{name: "root of the image", spec: `
paths:
  - {path: /, type: directory}
`, want: `
spec.yaml:6:12: paths[0].path: "/" can only have type permissions`},
	// Settings.
	{name: "environment", spec: `
environment: {1A: x, A-B: y, C: "a\x00b"}
`, want: `
spec.yaml:5:15: environment: found "1A", expected the name of an environment variable
spec.yaml:5:22: environment: found "A-B", expected the name of an environment variable
spec.yaml:5:33: environment.C: found "a\x00b", expected text without control characters`},
	{name: "work-dir", spec: `
work-dir: app
`, want: `
spec.yaml:5:11: work-dir: found "app", expected an absolute path`},
	{name: "ports", spec: `
ports: [0, 65536, 80/http, 90-80, 8000/tcp, 8000, ""]
`, want: `
spec.yaml:5:9: ports[0]: found "0", expected a port such as 8000, 8000/udp or 8000-8010/tcp
spec.yaml:5:12: ports[1]: found "65536", expected a port such as 8000, 8000/udp or 8000-8010/tcp
spec.yaml:5:19: ports[2]: found "80/http", expected a port such as 8000, 8000/udp or 8000-8010/tcp
spec.yaml:5:28: ports[3]: found "90-80", expected a port such as 8000, 8000/udp or 8000-8010/tcp
spec.yaml:5:45: ports: duplicate item "8000/tcp"; the first is at spec.yaml:5:35
spec.yaml:5:51: ports[6]: found "", expected a port such as 8000, 8000/udp or 8000-8010/tcp`},
	{name: "signal", spec: `
stop-signal: SIGTREM
`, want: `
spec.yaml:5:14: stop-signal: found "SIGTREM", expected a signal such as SIGTERM or a number from 1 to 64; did you mean "SIGTERM"?`},
	{name: "signal as a number", spec: `
stop-signal: 15
`, want: `
spec.yaml:5:14: stop-signal: found the number 15, expected text
  hint: quote it: "15"`},
	{name: "healthcheck", spec: `
healthcheck: {interval: 30, timeout: 1 minute, start-period: 0s, retries: -1}
`, want: `
spec.yaml:5:25: healthcheck.interval: found the number 30, expected a duration such as 30s or 1m30s
  hint: give it a unit: 30s
spec.yaml:5:38: healthcheck.timeout: found "1 minute", expected a duration such as 30s or 1m30s
spec.yaml:5:62: healthcheck.start-period: found "0s", expected at least 1ms
spec.yaml:5:75: healthcheck.retries: found the number -1, expected a whole number from 0 to 1000`},
	{name: "healthcheck of nothing", spec: `
healthcheck: {interval: 30s}
`, want: `
spec.yaml:5:1: healthcheck: expected command, http or tcp`},
	{name: "healthcheck of two kinds", spec: `
healthcheck: {command: [/bin/true], http: "http://127.0.0.1/"}
`, want: `
spec.yaml:5:43: healthcheck: found command and http, expected only one of command, http and tcp`},
	{name: "healthcheck by a shell", spec: `
healthcheck: {command: [CMD-SHELL, "curl localhost || exit 1"]}
`, want: `
spec.yaml:5:15: healthcheck.command: found "CMD-SHELL" first, expected a program
  hint: leave out CMD-SHELL: no shell reads the command`},
	{name: "healthcheck without a word", spec: `
healthcheck: {command: []}
`, want: `
spec.yaml:5:15: healthcheck.command: found an empty value, expected a program and its arguments`},
	{name: "healthcheck of another host", spec: `
healthcheck: {http: "http://example.com/"}
`, want: `
spec.yaml:5:21: healthcheck.http: found "example.com", expected an address of the loopback
  hint: the probe runs in the container and reaches only what runs there: write 127.0.0.1, [::1] or localhost`},
	{name: "healthcheck of a private address", spec: `
healthcheck: {tcp: "10.0.0.1:5432"}
`, want: `
spec.yaml:5:20: healthcheck.tcp: found "10.0.0.1", expected an address of the loopback
  hint: the probe runs in the container and reaches only what runs there: write 127.0.0.1, [::1] or localhost`},
	{name: "healthcheck of a mapped address", spec: `
healthcheck: {tcp: "[::ffff:127.0.0.1]:5432"}
`, want: `
spec.yaml:5:20: healthcheck.tcp: found "::ffff:127.0.0.1", expected an address of the loopback
  hint: the probe runs in the container and reaches only what runs there: write 127.0.0.1, [::1] or localhost`},
	{name: "healthcheck of all addresses", spec: `
healthcheck: {http: "http://0.0.0.0:8000/"}
`, want: `
spec.yaml:5:21: healthcheck.http: found "0.0.0.0", expected an address of the loopback
  hint: a server that listens at all addresses answers at 127.0.0.1, too`},
	{name: "healthcheck of all IPv6 addresses", spec: `
healthcheck: {tcp: "[::]:80"}
`, want: `
spec.yaml:5:20: healthcheck.tcp: found "::", expected an address of the loopback
  hint: a server that listens at all addresses answers at [::1], too`},
	{name: "healthcheck over TLS", spec: `
healthcheck: {http: "https://127.0.0.1/"}
`, want: `
spec.yaml:5:21: healthcheck.http: found "https://127.0.0.1/", expected an address such as http://127.0.0.1:8000/healthz
  hint: the probe speaks no TLS: ask a plain port of the server, connect with tcp, or write a command`},
	{name: "healthcheck without a scheme", spec: `
healthcheck: {http: "127.0.0.1:8000/healthz"}
`, want: `
spec.yaml:5:21: healthcheck.http: found "127.0.0.1:8000/healthz", expected an address such as http://127.0.0.1:8000/healthz
  hint: write http://127.0.0.1:8000/healthz`},
	{name: "healthcheck of port 0", spec: `
healthcheck: {http: "http://127.0.0.1:0/"}
`, want: `
spec.yaml:5:21: healthcheck.http: found "0", expected a port from 1 to 65535`},
	{name: "healthcheck of a port too large", spec: `
healthcheck: {tcp: "127.0.0.1:65536"}
`, want: `
spec.yaml:5:20: healthcheck.tcp: found "65536", expected a port from 1 to 65535`},
	{name: "healthcheck of an empty port", spec: `
healthcheck: {http: "http://127.0.0.1:/"}
`, want: `
spec.yaml:5:21: healthcheck.http: found "", expected a port from 1 to 65535`},
	{name: "healthcheck with a scheme", spec: `
healthcheck: {tcp: "tcp://127.0.0.1:80"}
`, want: `
spec.yaml:5:20: healthcheck.tcp: found "tcp://127.0.0.1:80", expected an address such as 127.0.0.1:5432
  hint: write 127.0.0.1:80`},
	{name: "healthcheck of a port alone", spec: `
healthcheck: {tcp: "5432"}
`, want: `
spec.yaml:5:20: healthcheck.tcp: found "5432", expected an address such as 127.0.0.1:5432
  hint: write 127.0.0.1:5432`},
	{name: "healthcheck with a password", spec: `
healthcheck: {http: "http://me:secret@127.0.0.1/"}
`, want: `
spec.yaml:5:21: healthcheck.http: found credentials in an address, expected none
  hint: a health check is part of the image, which anybody may read; ask for a page that needs none`},
	{name: "healthcheck with a fragment", spec: `
healthcheck: {http: "http://127.0.0.1/#top"}
`, want: `
spec.yaml:5:21: healthcheck.http: found "http://127.0.0.1/#top", expected an address without a fragment`},
	{name: "healthcheck with a space", spec: `
healthcheck: {http: "http://127.0.0.1/a b"}
`, want: `
spec.yaml:5:21: healthcheck.http: found "http://127.0.0.1/a b", expected an address of printable ASCII
  hint: percent-encode the rest`},
	{name: "labels", spec: `
labels: {"a b": x, a=b: y}
annotations: {"-a": z}
`, want: `
spec.yaml:5:10: labels: found "a b", expected a key such as org.example.name: letters and digits, with . _ - or / between them
spec.yaml:5:20: labels: found "a=b", expected a key such as org.example.name: letters and digits, with . _ - or / between them
spec.yaml:6:15: annotations: found "-a", expected a key such as org.example.name: letters and digits, with . _ - or / between them`},
	{name: "os-release", spec: `
os-release: {id: My OS, home-url: example.com, support-url: "https://me:pw@example.com"}
`, want: `
spec.yaml:5:18: os-release.id: found "My OS", expected lower-case letters, digits, dots, dashes and underscores
spec.yaml:5:35: os-release.home-url: found "example.com", expected an http or https address
spec.yaml:5:61: os-release.support-url: found credentials in an address, expected none
  hint: put them into ~/.netrc or the environment; a spec is published`},
	{name: "dates", spec: `
dates: {release: 2025-02-30, end-of-life: soon}
`, want: `
spec.yaml:5:18: dates.release: found "2025-02-30", expected a date such as 2025-08-09
spec.yaml:5:43: dates.end-of-life: found "soon", expected a date such as 2025-08-09`},
	{name: "end of life before the release", spec: `
dates: {release: 2025-08-09, end-of-life: 2025-08-08}
`, want: `
spec.yaml:5:43: dates.end-of-life: found 2025-08-08, expected a day after the release, 2025-08-09`},
	{name: "layering", spec: `
layering: {budget: 0, compression: xz}
`, want: `
spec.yaml:5:20: layering.budget: found the number 0, expected a whole number from 1 to 127
spec.yaml:5:36: layering.compression: found "xz", expected gzip or zstd`},
	{name: "hardening", spec: `
hardening:
  profile: stric
  keep: [usr/share]
  waive:
    - {rule: shell-present}
    - {rule: shell-present, reason: ""}
    - {rule: setuid, reason: a}
    - {rule: setuid, reason: b}
`, want: `
spec.yaml:6:12: hardening.profile: found "stric", expected strict, standard or none; did you mean "strict"?
spec.yaml:7:10: hardening.keep[0]: found "usr/share", expected an absolute path
spec.yaml:9:7: hardening.waive[0]: reason is missing
spec.yaml:10:37: hardening.waive[1].reason: found an empty value, expected one
spec.yaml:12:14: hardening.waive: duplicate rule "setuid"; the first is at spec.yaml:11:14`},
	// Stages, copy, tests.
	{name: "stages", spec: `
stages:
  - {name: one, from: two}
  - {name: two, network: internet}
  - {name: two}
  - name: three
    secrets: [{id: a}, {id: b, env: B, file: b}]
    fetch: [{url: "ftp://example.com", sha256: abc, path: /a}]
    files: [{source: missing, path: a}]
`, want: `
spec.yaml:7:26: stages[1].network: found "internet", expected none or host
spec.yaml:11:19: stages[3].fetch[0].url: found "ftp://example.com", expected an http or https address
spec.yaml:11:48: stages[3].fetch[0].sha256: found "abc", expected 64 lower-case hex digits
spec.yaml:12:22: stages[3].files[0].source: cannot read "missing": no such file or directory
spec.yaml:12:37: stages[3].files[0].path: found "a", expected an absolute path`},
	{name: "stages that do not fit", spec: `
stages:
  - {name: one, from: two}
  - {name: two}
  - {name: three, secrets: [{id: a}, {id: b, env: B, file: b}]}
`, want: `
spec.yaml:6:23: stages[0].from: "two" is not an earlier stage
spec.yaml:8:29: stages[2].secrets[0]: expected either env or file
spec.yaml:8:38: stages[2].secrets[1]: expected either env or file`},
	{name: "copy that does not fit", spec: `
stages: [{name: build}]
copy: [{from: biuld, source: /a, path: /b}]
`, want: `
spec.yaml:6:15: copy[0].from: there is no stage "biuld"; did you mean "build"?`},
	{name: "copy", spec: `
stages: [{name: build}]
copy:
  - {from: biuld, source: /a, path: /b}
  - {from: build, source: /a}
  - {from: build, source: /a, path: /c}
  - {from: build, source: /a, path: /c}
`, want: `
spec.yaml:8:5: copy[1]: path is missing
spec.yaml:10:12: copy: duplicate entry "build /a /c"; the first is at spec.yaml:9:12`},
	{name: "tests", spec: `
tests:
  - {name: a, command: [], exit-code: 256}
  - {name: b}
  - {name: c, command: [x]}
  - {name: c, command: [y]}
`, want: `
spec.yaml:6:24: tests[0].command: found an empty value, expected one
spec.yaml:6:39: tests[0].exit-code: found the number 256, expected a whole number from 0 to 255
spec.yaml:7:5: tests[1]: command is missing
spec.yaml:9:12: tests: duplicate name "c"; the first is at spec.yaml:8:12`},
	{name: "limits of tests, and writable directories", spec: `
tests: [{name: a, command: [x], timeout: soon, memory: 2GB, processes: -1}]
writable: [/tmp, tmp, /, "/my files", /var//lib]
`, want: `
spec.yaml:5:42: tests[0].timeout: found "soon", expected a duration such as 30s or 1m30s
spec.yaml:5:56: tests[0].memory: found "2GB", expected a size such as 512MiB or 2GiB
spec.yaml:5:72: tests[0].processes: found the number -1, expected a whole number from 0 to 1000000
spec.yaml:6:18: writable[1]: found "tmp", expected an absolute path below the root, without spaces
spec.yaml:6:23: writable[2]: found "/", expected an absolute path below the root, without spaces
spec.yaml:6:26: writable[3]: found "/my files", expected an absolute path below the root, without spaces
spec.yaml:6:39: writable[4]: found "/var//lib", expected a clean path
  hint: write /var/lib`},
	// Vars.
	{name: "undefined", spec: `
vars: {MAJOR: "3"}
entrypoint: ["/usr/bin/python${MAJR}"]
`, want: `
spec.yaml:6:14: undefined variable ${MAJR}; did you mean "MAJOR"?
  hint: define it in vars, or write $${MAJR} for text that is to stay`},
	{name: "undefined without vars", spec: `
entrypoint: [/bin/sh, -c, "echo ${HOME}"]
`, want: `
spec.yaml:5:27: undefined variable ${HOME}
  hint: define it in vars, or write $${HOME} for text that is to stay`},
	{name: "not a name", spec: `
entrypoint: ["${HOME:-/root}", "${"]
`, want: `
spec.yaml:5:14: found "${HOME:-/root}", expected ${NAME}
  hint: write $${ for a ${ that is to stay
spec.yaml:5:32: found "${", expected ${NAME}
  hint: write $${ for a ${ that is to stay`},
	{name: "number as a value", spec: `
vars: {MAJOR: 3.13}
`, want: `
spec.yaml:5:15: vars.MAJOR: found the number 3.13, expected text
  hint: quote it: "3.13"`},
	{name: "name", spec: `
vars: {MY-VAR: x}
`, want: `
spec.yaml:5:8: vars: found "MY-VAR", expected a name of letters, digits and underscores`},
	{name: "var within a var", spec: `
vars: {A: x, B: "${A}y"}
`, want: `
spec.yaml:5:17: vars.B: found "${A}y", expected text that uses no other variable
  hint: write the value out`},
	{name: "value that does not fit", spec: `
vars: {DIR: app}
work-dir: ${DIR}
layering: {budget: "${DIR}"}
`, want: `
spec.yaml:6:11: work-dir: found "app", expected an absolute path
spec.yaml:7:20: layering.budget: found the text "app", expected a whole number from 1 to 127`},
	{name: "var in a flow mapping without quotes", spec: `
vars: {UID: "1000"}
paths: [{path: /a, type: directory, uid: ${UID}}]
`, want: `
spec.yaml:6:43: cannot read YAML: did not find expected ',' or '}'
  hint: close the bracket, and quote text that contains one of { } [ ] or a comma, such as "${NAME}"`},
	// Variants.
	{name: "variant with shared keys", spec: `
variants:
  debug: {name: other, platforms: [linux/amd64], extends: x.yaml, distro: debian/sid}
`, want: `
spec.yaml:6:11: key "name" in variants.debug, which all variants share
  hint: set it in the spec itself
spec.yaml:6:24: key "platforms" in variants.debug, which all variants share
  hint: set it in the spec itself
spec.yaml:6:50: key "extends" in variants.debug, which all variants share
  hint: set it in the spec itself
spec.yaml:6:67: key "distro" in variants.debug, which all variants share
  hint: set it in the spec itself`},
	{name: "error within a variant", spec: `
variants:
  debug:
    work-dir: app
    contnets: {}
`, want: `
spec.yaml:7:15: work-dir: found "app", expected an absolute path
spec.yaml:8:5: unknown key "contnets" in variants.debug; did you mean "contents"?`},
	{name: "variant that does not fit the base", spec: `
accounts: {groups: [{name: app, gid: 1000}]}
variants:
  debug:
    accounts: {users: [{name: app, uid: 1000, gid: 1001}]}
`, want: `
spec.yaml:8:52: accounts.users[0].gid: 1001 is neither a declared group nor one of Debian's base groups
  hint: add {name: app, gid: 1001} to accounts.groups`},
	{name: "tag suffixes that are the same", spec: `
variants:
  a: {tag-suffix: -x}
  b: {tag-suffix: -x}
  c: {tag-suffix: ""}
`, want: `
spec.yaml:7:3: variants.b: tag suffix "-x" is that of variant a, too
spec.yaml:8:19: tag-suffix: found "", expected the end of a tag: letters, digits, dots, dashes and underscores`},
	{name: "name of a variant", spec: `
variants: {De Bug: {work-dir: /}}
`, want: `
spec.yaml:5:12: variants: found "De Bug", expected a name of lower-case letters and digits, with single . _ or - between them`},
	{name: "tag too long", spec: `
tag-suffix: -xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
variants: {debug: {cmd: [x]}}
`, want: `
spec.yaml:3:10: version: tag "1-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx..." is longer than 128 bytes`},
	{name: "error that a variant inherits", spec: `
contents: {packages: [bash, Zsh]}
variants: {debug: {contents: {packages: ["!bash"]}}}
`, want: `
spec.yaml:5:29: contents.packages[0]: found "Zsh", expected a package: name, name:arch, name=version, or !name
  hint: write zsh`},
	// Extends.
	{name: "parent that is not there", spec: `
extends: ../base.yaml
`, want: `
spec.yaml:5:10: extends: cannot read "../base.yaml": no such file or directory`},
	{name: "parent that is not relative", spec: `
extends: /etc/base.yaml
`, want: `
spec.yaml:5:10: extends: found "/etc/base.yaml", expected a path relative to this file`},
	{name: "itself", spec: `
extends: spec.yaml
`, want: `
spec.yaml:5:10: extends: "spec.yaml" extends itself: spec.yaml -> spec.yaml`},
	{name: "parent from a variable", spec: `
extends: ${BASE}.yaml
`, want: `
spec.yaml:5:10: extends: found "${BASE}.yaml", expected a path without variables`},
}
