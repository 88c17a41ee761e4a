package check

// judges has the judge of each rule. It notes what it finds, and says why the rule does
// not apply to the image, or [applies].
var judges map[string]func(*question) string

func init() {
	judges = map[string]func(*question) string{
		"documentation": stripped, "packaging-metadata": stripped, "translations": stripped, "shell-completion": stripped, "development-files": stripped, "desktop-files": stripped,
		"privilege-bits": privilegeBits, "maintainer-script-tools": scriptTools,

		"shell-present": tools, "package-manager-present": tools, "compiler-present": tools, "network-client-present": tools, "privilege-tool-present": tools,
		"remote-access-present": tools, "cache-present": leftovers, "interpreter-present": interpreters,

		"root-user": rootUser, "root-group": rootGroup, "user-by-name": userByName, "healthcheck-missing": healthcheckMissing, "healthcheck-broken": healthcheckBroken,
		"privileged-port": privilegedPort, "admin-port": adminPort, "port-undeclared": portUndeclared, "volume-system-path": volumeSystemPath,
		"shell-entrypoint": shellEntrypoint, "entrypoint-missing": entrypointMissing, "environment-loader": environmentLoader, "environment-insecure": environmentInsecure,
		"stop-signal": stopSignal, "labels-missing": labelsMissing, "labels-invalid": labelsInvalid, "labels-untrue": labelsUntrue,

		"signature-missing": signatureMissing, "sbom-missing": sbomMissing, "provenance-missing": provenanceMissing, "mutable-reference": mutableReference, "base-unpinned": baseUnpinned,
		"packages-unpinned": packagesUnpinned, "packages-unverified": packagesUnverified, "piped-installer": pipedInstaller, "history-add": historyAdd, "history-update-alone": historyUpdateAlone,
		"history-upgrade": historyUpgrade, "history-cache": historyCache, "history-sudo": historySudo, "history-permissions": historyPermissions,
		"image-age": imageAge, "end-of-life": endOfLife, "size-budget": sizeBudget, "package-budget": packageBudget,

		"world-writable-file": worldWritableFile, "world-writable-directory": worldWritableDirectory, "unowned-file": unownedFile, "system-writable": systemWritable, "device-node": deviceNode,
		"account-files-mode": accountFilesMode, "empty-password": emptyPassword, "password-hash": passwordHash, "duplicate-account": duplicateAccount, "zero-id": zeroID, "login-shell": loginShell,
		"home-directory": homeDirectory, "umask": umask, "tls-policy": tlsPolicy,
		"secret-in-file": secretInFile, "secret-file": secretFile, "secret-in-environment": secretInEnvironment, "secret-in-metadata": secretInMetadata,
		"deleted-content": deletedContent, "duplicate-content": duplicateContent,
		"package-files-missing": packageFilesMissing, "package-files-changed": packageFilesChanged, "unexplained-file": unexplainedFile,

		"elf-executable-stack": elfExecutableStack, "elf-writable-code": elfWritableCode, "elf-rpath": elfRPath, "elf-pie": elfPIE, "elf-relro": elfRELRO, "elf-bind-now": elfBindNow,
		"elf-stack-protector": elfStackProtector, "elf-fortify": elfFortify,
	}
}
