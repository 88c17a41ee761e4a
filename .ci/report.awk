# Reads `go test -v` and prints what a person wants of it: a line for each package,
# all of what fails, what was skipped and why, and the figures that tests measure.
/^=== (RUN|PAUSE|CONT|NAME)/ { next }
/^ *--- PASS/                { held = ""; next }
/^ *--- (FAIL|SKIP)/         { printf "%s", held; print; held = ""; fflush(); next }
/^(ok|FAIL|panic)/           { if ($1 != "ok") printf "%s", held; print; held = ""; fflush(); next }
/^\?|no test files|^PASS$/   { next }
/equal to apt|equal with dpkg|MB resident|reported as not done|SKIPPED/ { print; next }
{ held = held $0 "\n" }
END { printf "%s", held }
