package apache_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/maint/apache"
	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// The expectations are those of a2enmod of apache2 2.4.68-1~deb13u1 in a chroot.
var scripts = []struct{ script, printed, left string }{
	{`a2enmod b; echo $?; a2enmod b.load; a2enmod nope; echo $?`, `Considering dependency a for b:
Enabling module a.
Enabling module b.
To activate the new configuration, you need to run:
  service apache2 restart
0
Considering dependency a for b:
Module a already enabled
Module b already enabled
1
`, "a.conf->../mods-available/a.conf a.load->../mods-available/a.load b.load->../mods-available/b.load module/enabled_by_admin/a module/enabled_by_admin/b"},
	{`a2enmod -q -m a; a2dismod -m -q a; echo $?; a2dismod a; echo $?; a2dismod -p -q a`, "Enabling module a.\nModule a disabled.\n0\nModule a already disabled\n0\n", ""},
	{`a2enmod -q b; a2dismod a; echo $?; a2enmod other; echo $?; a2dismod -f a; echo $?`, `Enabling module a.
Enabling module b.
1
Considering conflict a for other:
1
Considering dependency b for a:
Module b disabled.
Module a disabled.
To activate the new configuration, you need to run:
  service apache2 restart
0
`, "module/disabled_by_admin/a module/disabled_by_admin/b"},
	{`a2ensite 000-default; echo $?; a2enconf -m c.conf; a2disconf c; a2ensite '0*'`, `Enabling site 000-default.
To activate the new configuration, you need to run:
  service apache2 reload
0
Enabling conf c.
To activate the new configuration, you need to run:
  service apache2 reload
Conf c disabled.
To activate the new configuration, you need to run:
  service apache2 reload
Site 000-default already enabled
`, "000-default.conf->../sites-available/000-default.conf conf/disabled_by_admin/c site/enabled_by_admin/000-default"},
	{"a2enmod -q -m a; a2query -m a; echo $?; a2query -m none; echo $?; a2query -m mod_a; a2query -m a.load; a2dismod -q a; a2query -m a; echo $?; a2query -qm a; echo $?; a2query -m; echo $?; a2query -M; a2query -d; a2query -a", `Enabling module a.
a (enabled by maintainer script)
0
1
a (enabled by maintainer script)
Module a disabled.
32
32
32
invalid
/usr/lib/apache2/modules/
20120211
`, "module/disabled_by_admin/a"},
	{"a2enconf -q c; a2query -c; a2query -c c.conf; a2query -s; echo $?", "Enabling conf c.\nc (enabled by site administrator)\nc (enabled by site administrator)\n1\n", "c.conf->../conf-available/c.conf conf/enabled_by_admin/c"},
}

func TestScripts(t *testing.T) {
	for _, tt := range scripts {
		tr := tree.New(&tree.Origin{Kind: tree.FromBuilder}, 0)
		for name, text := range map[string]string{
			"mods-available/a.load": "# Depends:\nLoadModule a\n", "mods-available/a.conf": "", "mods-available/b.load": "# Depends: a\nLoadModule b\n",
			"mods-available/other.load": "# Conflicts: a\n", "sites-available/000-default.conf": "", "conf-available/c.conf": "",
		} {
			if err := tr.WriteFile("etc/apache2/"+name, []byte(text), 0o644, nil); err != nil {
				t.Fatal(err)
			}
		}
		for _, dir := range []string{"mods", "sites", "conf"} {
			if err := tr.Mkdir("etc/apache2/"+dir+"-enabled", 0o755, nil); err != nil {
				t.Fatal(err)
			}
		}
		sh := &shell.Shell{FS: rootfs.New(tr, 0), Commands: apache.Commands()}
		out, err := sh.Run(t.Context(), shell.Script{Name: "script", Text: "exec 2>/dev/null\n" + tt.script})
		if e, ok := errors.AsType[*shell.Error](err); err != nil && (!ok || e.Err != nil) {
			t.Fatal(err)
		}
		var left []string
		for n := range tr.All() {
			if n.Type == tree.Symlink {
				left = append(left, fmt.Sprintf("%s->%s", n.Path[strings.LastIndexByte(n.Path, '/')+1:], n.Link))
			} else if at, ok := strings.CutPrefix(n.Path, "var/lib/apache2/"); ok && n.Type == tree.File {
				left = append(left, at)
			}
		}
		if string(out) != tt.printed || strings.Join(left, " ") != tt.left {
			t.Errorf("%s\nprinted\n%s\nwant\n%s\nleft %s\nwant %s", tt.script, out, tt.printed, strings.Join(left, " "), tt.left)
		}
	}
}
