package audit

import (
	"fmt"

	"github.com/hardpan/hardpan/internal/harden"
	gocvss31 "github.com/pandatix/go-cvss/31"
)

// weight is how bad a rule's breach is, and which weakness it is.
type weight struct {
	vector string // CVSS v3.1 base metrics without the prefix
	cwe    int    // 0 where none fits
	nist   string // controls of NIST SP 800-53 rev. 5
}

// The vectors that several rules have. In all of them somebody has a foot in the
// container or in what it is made of, and the metrics say how far that carries.
const (
	none = "AV:L/AC:H/PR:L/UI:N/S:U/C:N/I:N/A:N" // 0.0: to know

	littleRead  = "AV:L/AC:H/PR:L/UI:N/S:U/C:L/I:N/A:N" // 2.5: something more can be seen, from within
	littleWrite = "AV:L/AC:H/PR:H/UI:N/S:U/C:N/I:L/A:L" // 3.0: something can be upset, by who may write there
	littleTools = "AV:L/AC:L/PR:L/UI:N/S:U/C:N/I:L/A:N" // 3.3: an intruder finds more to work with
	supplyLow   = "AV:N/AC:H/PR:H/UI:R/S:U/C:L/I:L/A:L" // 3.9: who holds the source of a part changes it

	openRead    = "AV:L/AC:L/PR:N/UI:N/S:U/C:L/I:N/A:N" // 4.0: everybody in the container reads it
	leftTools   = "AV:L/AC:H/PR:L/UI:N/S:U/C:L/I:L/A:L" // 4.5: tools that should be gone serve an intruder
	openWrite   = "AV:L/AC:L/PR:L/UI:N/S:U/C:L/I:L/A:L" // 5.3: everybody in the container changes it
	openSecret  = "AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:N/A:N" // 5.5: everybody in the container reads secrets
	supplyFetch = "AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:H/A:L" // 6.4: who sits in between decides what is in the image

	supplyRun   = "AV:N/AC:H/PR:N/UI:R/S:U/C:H/I:H/A:H" // 7.5: who sits in between runs commands in the build
	pullSecret  = "AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N" // 7.5: who may pull the image has the secret
	ownSystem   = "AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H" // 7.8: an intruder becomes master of the container
	escape      = "AV:L/AC:H/PR:L/UI:N/S:C/C:H/I:H/A:H" // 7.8: and with a flaw of the runtime of the host
	remoteEntry = "AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:H" // 8.1: a door of its own
	nothingMore = "AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" // 9.8: nothing more is needed
)

// weights are those of all rules that this package asks.
var weights = map[string]weight{
	// who runs it, and what it may
	"root-user":             {escape, 250, "AC-6 CM-7 SC-39"},
	"root-group":            {littleRead, 250, "AC-6"},
	"user-by-name":          {littleRead, 250, "AC-6"},
	"zero-id":               {nothingMore, 250, "AC-6"},
	"empty-password":        {nothingMore, 258, "IA-5"},
	"password-hash":         {remoteEntry, 259, "IA-5"},
	"login-shell":           {littleTools, 1125, "CM-7"},
	"privilege-bits":        {ownSystem, 269, "AC-6"},
	"system-writable":       {ownSystem, 732, "AC-6 SC-4"},
	"code-writable":         {littleTools, 732, "AC-6 SI-7"},
	"history-permissions":   {openWrite, 732, "AC-6 SC-4"},
	"log-directory-open":    {openRead, 732, "AC-6 SC-4 AU-9"},
	"secret-directory-open": {openSecret, 732, "AC-6 SC-4"},
	"history-sudo":          {openWrite, 250, "AC-6"},
	"build-privileged":      {escape, 250, "AC-6 SC-39"},
	"user-id-high":          {littleWrite, 400, "CM-2"},

	// what is in it
	"remove-without-names":     {leftTools, 459, "CM-7"},
	"deleted-content":          {littleTools, 459, "CM-7"},
	"history-cache":            {littleRead, 459, "CM-7"},
	"recommends-installed":     {littleTools, 1125, "CM-7"},
	"compiler-present":         {leftTools, 1125, "CM-7"},
	"network-client-present":   {leftTools, 1125, "CM-7"},
	"package-manager-present":  {leftTools, 1125, "CM-7"},
	"shell-present":            {leftTools, 1125, "CM-7"},
	"privilege-tool-present":   {openWrite, 250, "AC-6 CM-7"},
	"remote-access-present":    {remoteEntry, 749, "CM-7"},
	"development-files":        {littleTools, 1125, "CM-7"},
	"clients-doubled":          {none, 1125, "CM-7"},
	"copy-filesystem":          {littleTools, 1125, "CM-7"},
	"end-of-life":              {supplyRun, 1104, "SI-2"},
	"history-upgrade":          {supplyLow, 1357, "CM-2 SI-2"},
	"history-update-alone":     {supplyLow, 1104, "CM-2 SI-2"},
	"profile-weak":             {leftTools, 1125, "CM-6 CM-7"},
	"world-writable-file":      {openWrite, 732, "AC-6 SC-4"},
	"world-writable-directory": {openWrite, 732, "AC-6 SC-4"},

	// where it comes from
	"base-unpinned":       {supplyLow, 1357, "CM-2 SR-3"},
	"mutable-reference":   {supplyLow, 1357, "CM-2 SR-3"},
	"packages-unpinned":   {supplyLow, 1357, "CM-2 SR-3"},
	"packages-unverified": {supplyRun, 347, "SI-7 SR-4"},
	"piped-installer":     {supplyRun, 494, "SI-7 SR-4"},
	"add-url":             {supplyFetch, 494, "SI-7 SR-4"},
	"download-unverified": {supplyFetch, 494, "SI-7 SR-4"},
	"history-add":         {littleTools, 829, "CM-7"},
	"stage-unknown":       {supplyLow, 829, "CM-2 SR-3"},
	"stage-ambiguous":     {littleTools, 1109, "CM-2"},
	"lock-missing":        {none, 1357, "CM-2 SR-3"},
	"platform-fixed":      {none, 710, "CM-2"},
	"variable-unset":      {none, 456, "CM-2"},

	// secrets
	"secret-in-environment": {pullSecret, 798, "IA-5 SC-28"},
	"secret-in-metadata":    {pullSecret, 538, "IA-5 SC-28"},
	"secret-in-file":        {pullSecret, 798, "IA-5 SC-28"},
	"secret-file":           {openSecret, 538, "IA-5 SC-28"},
	"dockerignore-missing":  {littleRead, 538, "CM-7 SC-28"},
	"copy-everything":       {littleRead, 538, "CM-7 SC-28"},

	// how it is run
	"healthcheck-missing":         {none, 754, "SI-13"},
	"healthcheck-broken":          {openWrite, 754, "SI-13"},
	"healthcheck-external-script": {littleWrite, 829, "CM-7"},
	"extra-port":                  {littleRead, 1125, "CM-7 SC-7"},
	"port-invalid":                {littleRead, 1284, "CM-7"},
	"port-undeclared":             {littleRead, 1125, "CM-7 SC-7"},
	"privileged-port":             {openWrite, 250, "AC-6 CM-7"},
	"admin-port":                  {remoteEntry, 749, "CM-7 SC-7"},
	"volume-system-path":          {ownSystem, 668, "SC-4 CM-6"},
	"shell-entrypoint":            {littleTools, 1125, "CM-7"},
	"instruction-overridden":      {littleTools, 561, "CM-2"},
	"environment-loader":          {openWrite, 427, "CM-6"},
	"environment-insecure":        {supplyRun, 295, "SC-8"},
	"stop-signal":                 {none, 404, "SI-13"},
	"labels-missing":              {none, 1059, "CM-8"},
	"labels-invalid":              {littleTools, 1059, "CM-8"},
	"labels-untrue":               {supplyRun, 451, "CM-8"},
	"tests-missing":               {none, 1059, "SA-11"},
	"waiver-endless":              {none, 1059, "CM-6"},
	"scripts-skipped":             {none, 1188, "CM-6"},

	// how it is written
	"maintainer-deprecated": {none, 477, ""},
	"cd-in-run":             {none, 710, ""},
	"workdir-relative":      {littleTools, 706, ""},
	"apt-interactive":       {none, 710, ""},
	"pipefail-missing":      {littleTools, 252, "SI-10"},
	"shell-replaced":        {littleTools, 710, "CM-6"},
	"env-self-reference":    {littleTools, 456, ""},
	"command-useless":       {none, 561, "CM-7"},
	"onbuild-hidden":        {none, 1059, ""},
	"ignore-pragma":         {none, 1059, ""},
	"syntax-doubtful":       {none, 710, ""},
}

// scoreOf returns the score of a rule's vector.
func scoreOf(vector string) Score {
	vector = "CVSS:3.1/" + vector
	v, err := gocvss31.ParseVector(vector)
	if err != nil {
		panic(fmt.Sprintf("vector %s: %v", vector, err)) // the table above is data, and a test reads all of it
	}
	return Score{Vector: vector, Number: v.BaseScore()}
}

// severities are vectors for findings that are graver or lighter than their rule.
var severities = map[harden.Severity]string{
	harden.Info: none, harden.Low: littleTools, harden.Medium: openWrite, harden.High: supplyRun, harden.Critical: nothingMore,
}

// severityOf is the band of a score (CVSS v3.1 specification, section 5).
func severityOf(score float64) harden.Severity {
	switch {
	case score >= 9:
		return harden.Critical
	case score >= 7:
		return harden.High
	case score >= 4:
		return harden.Medium
	case score > 0:
		return harden.Low
	}
	return harden.Info
}

// byCCI are controls of NIST SP 800-53 rev. 5 that DISA's identifiers stand for (DISA CCI
// list).
var byCCI = map[string]string{
	"CCI-000366": "CM-6", "CCI-000381": "CM-7", "CCI-001762": "CM-7(1)", "CCI-002235": "AC-6(10)", "CCI-002367": "IA-5(7)", "CCI-002418": "SC-8", "CCI-002617": "SI-2(6)",
}
