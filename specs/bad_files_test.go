package specs

// badFiles are wrong in the file, its keys or its types.
var badFiles = []badSpec{
	// The file.
	{name: "empty", whole: true, spec: "", want: `
spec.yaml:1:1: spec is empty
  hint: begin with "apiVersion: hardpan/v1"`},
	{name: "only a comment", whole: true, spec: `# nothing
`, want: `
spec.yaml:1:1: spec is empty
  hint: begin with "apiVersion: hardpan/v1"`},
	{name: "two documents", whole: true, spec: `apiVersion: hardpan/v1
name: a
---
name: b
`, want: `
spec.yaml:3:1: found a second document, expected one
  hint: write one file per spec, or use variants`},
	{name: "not a mapping", whole: true, spec: `- a
`, want: `
spec.yaml:1:1: spec: found a list, expected a mapping`},
	{name: "not UTF-8", whole: true, spec: "name: caf\xe9\n", want: `
spec.yaml:1:10: found byte 0xe9, expected UTF-8 text
  hint: save the file as UTF-8`},
	{name: "UTF-16", whole: true, spec: "\xff\xfen\x00", want: `
spec.yaml:1:1: found byte 0xff, expected UTF-8 text
  hint: save the file as UTF-8`},
	{name: "control character", whole: true, spec: "name: a\x1b[31m\n", want: `
spec.yaml:1:8: found control character U+001B, expected text
  hint: remove it`},
	{name: "text direction override", whole: true, spec: "description: \u202egnp.exe\n", want: `
spec.yaml:1:14: found control character U+202E, expected text
  hint: remove it`},
	{name: "carriage return within a line", whole: true, spec: "name: a\rversion: b\n", want: `
spec.yaml:1:8: found control character U+000D, expected text
  hint: remove it`},
	{name: "tab", whole: true, spec: `contents:
	packages: []
`, want: `
spec.yaml:2:1: cannot read YAML: found character that cannot start any token
  hint: quote the text, and indent with spaces, not tabs`},
	{name: "open list", whole: true, spec: `name: [a, b
version: c
`, want: `
spec.yaml:2:8: cannot read YAML: did not find expected ',' or ']'
  hint: close the bracket, and quote text that contains one of { } [ ] or a comma, such as "${NAME}"`},
	{name: "colon in text", whole: true, spec: `description: one: two
`, want: `
spec.yaml:1:17: cannot read YAML: mapping values are not allowed in this context
  hint: quote text that contains ": ", and align the keys of one mapping`},
	{name: "missing keys", whole: true, spec: `name: app
`, want: `
spec.yaml:1:1: spec: apiVersion is missing
spec.yaml:1:1: spec: distro is missing
spec.yaml:1:1: spec: version is missing`},
	{name: "another version of the format", whole: true, spec: `apiVersion: hardpan/v2
name: app
version: "1"
distro: debian/trixie
`, want: `
spec.yaml:1:13: apiVersion: found "hardpan/v2", expected hardpan/v1`},
	{name: "several errors at once", whole: true, spec: `apiVersion: hardpan/v1
name: App
version: 1.10
distro: trixie
platform: [linux/amd64]
paths:
  - {path: app, type: dir, mode: 0750}
`, want: `
spec.yaml:2:7: name: found "App", expected a repository name: lower-case letters and digits, with single . _ - or / between them
spec.yaml:3:10: version: found the number 1.10, expected text
  hint: quote it: "1.10"
spec.yaml:4:9: distro: found "trixie", expected debian/CODENAME such as debian/trixie
  hint: write debian/trixie
spec.yaml:5:1: unknown key "platform"; did you mean "platforms"?
spec.yaml:7:12: paths[0].path: found "app", expected an absolute path
spec.yaml:7:23: paths[0].type: found "dir", expected directory, empty-file, file, symlink, hardlink or permissions
spec.yaml:7:34: paths[0].mode: found the number 0750, expected a quoted octal mode
  hint: quote it: "0750"`},
	// Keys.
	{name: "unknown key", spec: `
contnets: {packages: [a]}
`, want: `
spec.yaml:5:1: unknown key "contnets"; did you mean "contents"?`},
	{name: "unknown key near none", spec: `
zzz: 1
`, want: `
spec.yaml:5:1: unknown key "zzz"
  hint: hardpan schema prints all keys`},
	{name: "key of another mapping", spec: `
packages: [bash]
`, want: `
spec.yaml:5:1: unknown key "packages"
  hint: "packages" is a key of contents`},
	{name: "unknown key in a list", spec: `
paths:
  - {path: /a, type: directory, permissions: "0755"}
`, want: `
spec.yaml:6:33: unknown key "permissions" in paths[0]
  hint: the keys are path, type, uid, gid, mode, content, source, target, recursive`},
	{name: "unknown key in a nested mapping", spec: `
accounts:
  runas: root
`, want: `
spec.yaml:6:3: unknown key "runas" in accounts; did you mean "run-as"?`},
	{name: "duplicate key", spec: `
work-dir: /a
cmd: [x]
work-dir: /b
`, want: `
spec.yaml:7:1: duplicate key "work-dir"; the first is at line 5`},
	{name: "duplicate key in a mapping of text", spec: `
environment: {A: x, A: y}
`, want: `
spec.yaml:5:21: duplicate key "A"; the first is at line 5`},
	{name: "merge key", spec: `
labels: &x {a: b}
environment:
  <<: *x
`, want: `
spec.yaml:7:3: found the YAML merge key <<, expected a key
  hint: use extends, or write the keys out`},
	{name: "key that is a number", spec: `
labels: {1: x}
`, want: `
spec.yaml:5:10: found "1" as a key, expected text
  hint: quote it: "1"`},
	{name: "key that is a list", spec: `
labels: {[a]: x}
`, want: `
spec.yaml:5:10: found a value that is not text as a key`},
	// Types.
	{name: "text for a list", spec: `
entrypoint: /usr/bin/app
`, want: `
spec.yaml:5:13: entrypoint: found the text "/usr/bin/app", expected a list
  hint: write [/usr/bin/app]`},
	{name: "list for a mapping", spec: `
contents: [bash]
`, want: `
spec.yaml:5:11: contents: found a list, expected a mapping`},
	{name: "mapping for text", spec: `
work-dir: {a: b}
`, want: `
spec.yaml:5:11: work-dir: found a mapping, expected a single value`},
	{name: "nothing for a list", spec: `
contents:
  packages:
`, want: `
spec.yaml:6:12: contents.packages: found nothing, expected a list
  hint: remove the key, or give it a value`},
	{name: "nothing for text", spec: `
work-dir:
`, want: `
spec.yaml:5:10: work-dir: found nothing, expected text
  hint: remove the key, or give it a value`},
	{name: "number for text", spec: `
environment: {PORT: 8000}
`, want: `
spec.yaml:5:21: environment.PORT: found the number 8000, expected text
  hint: quote it: "8000"`},
	{name: "truth for text", spec: `
environment: {DEBUG: true}
`, want: `
spec.yaml:5:22: environment.DEBUG: found true, expected text
  hint: quote it: "true"`},
	{name: "number for a word of a command", spec: `
cmd: [sleep, 10]
`, want: `
spec.yaml:5:14: cmd[1]: found the number 10, expected text
  hint: quote it: "10"`},
	{name: "text for a number", spec: `
accounts: {users: [{name: app, uid: "1000"}]}
`, want: `
spec.yaml:5:37: accounts.users[0].uid: found the text "1000", expected a whole number from 0 to 4294967294
  hint: remove the quotes`},
	{name: "float for a number", spec: `
layering: {budget: 1.5}
`, want: `
spec.yaml:5:20: layering.budget: found the number 1.5, expected a whole number from 1 to 127`},
	{name: "octal for a number", spec: `
layering: {budget: 0o17}
`, want: `
spec.yaml:5:20: layering.budget: found the number 0o17, expected a whole number from 1 to 127`},
	{name: "text for a truth", spec: `
paths: [{path: /a, type: permissions, mode: "0755", recursive: "yes"}]
`, want: `
spec.yaml:5:64: paths[0].recursive: found the text "yes", expected true or false`},
	{name: "number out of range", spec: `
layering: {budget: 128}
`, want: `
spec.yaml:5:20: layering.budget: found the number 128, expected a whole number from 1 to 127`},
	{name: "exclamation mark without quotes", spec: `
contents:
  packages:
    - !openssl
`, want: `
spec.yaml:7:7: found the YAML tag !openssl, expected a value without
  hint: text that begins with ! needs quotes: "!openssl"`},
	{name: "tag", spec: `
work-dir: !!str /app
`, want: `
spec.yaml:5:11: found the YAML tag !!str, expected a value without`},
	// Aliases.
	{name: "unknown alias", spec: `
work-dir: *dir
`, want: `
spec.yaml:5:11: cannot read YAML: unknown anchor 'dir' referenced`},
	{name: "alias of itself", spec: `
environment: &e {A: *e}
`, want: `
spec.yaml:5:21: alias *e stands for a value that contains it`},
	{name: "alias bomb", spec: `
stages:
  - &a {name: a, run: [x, x, x, x, x, x, x, x, x, x]}
  - &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]
  - &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]
  - &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]
`, want: `
spec.yaml:6:24: aliases stand for more than 10000 values
spec.yaml:7:5: stages[1]: found a list, expected a mapping
spec.yaml:8:5: stages[2]: found a list, expected a mapping
spec.yaml:9:5: stages[3]: found a list, expected a mapping`},
}
