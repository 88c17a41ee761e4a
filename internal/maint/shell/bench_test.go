package shell_test

import (
	"testing"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// postinst is what the scripts of packages are like.
const postinst = `#!/bin/sh
set -e

case "$1" in
    configure)
        for dir in /var/lib/thing /var/log/thing /etc/thing/conf.d; do
            if [ ! -d "$dir" ]; then
                mkdir -p "$dir"
            fi
        done
        if [ -z "$2" ] || [ "${2%%-*}" = "1.0" ]; then
            cat > /etc/thing/thing.conf <<EOF
# made by ${0##*/} of $DPKG_MAINTSCRIPT_PACKAGE
dir = ${dir}
user = $(echo thing | cat)
EOF
        fi
        while read -r name value rest; do
            case "$name" in
                ""|\#*) continue ;;
                dir|user) eval "$name=\$rest" ;;
            esac
        done < /etc/thing/thing.conf
        n=0
        for file in /etc/thing/*.conf; do
            [ -e "$file" ] || continue
            n=$((n + 1))
        done
        if command -v systemctl >/dev/null 2>&1 && [ -d /run/systemd/system ]; then
            systemctl daemon-reload || true
        fi
    ;;
    abort-upgrade|abort-remove|abort-deconfigure)
    ;;
    *)
        echo "postinst called with unknown argument \` + "`" + `$1'" >&2
        exit 1
    ;;
esac

exit 0
`

func BenchmarkPostinst(b *testing.B) {
	sh := newShell(b)
	b.ReportAllocs()
	for b.Loop() {
		_, err := sh.Run(b.Context(), shell.Script{Name: "postinst", Text: postinst, Args: []string{"configure", ""}, Env: environment})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoop10000(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		sh := newShell(b)
		script := `i=0; while [ $i -lt 10000 ]; do i=$((i + 1)); case $i in *7) x="$x$i "; x=${x#* };; esac; done`
		if _, err := sh.Run(b.Context(), shell.Script{Name: "script", Text: script, Env: environment}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSubstitutions10000(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		sh := newShell(b)
		script := `for i in 1 2 3 4 5 6 7 8 9 10; do for j in 1 2 3 4 5 6 7 8 9 10; do for k in 1 2 3 4 5 6 7 8 9 10; do
			x=$(echo $i) y=$(echo $j | cat) z="$(f() { echo $k; }; f)"; (x=$x$y); for l in $x $y $z; do :; done; done; done; done`
		if _, err := sh.Run(b.Context(), shell.Script{Name: "script", Text: script, Env: environment}); err != nil {
			b.Fatal(err)
		}
	}
}
