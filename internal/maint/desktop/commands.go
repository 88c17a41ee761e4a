package desktop

import (
	"github.com/hardpan/hardpan/internal/maint/getopt"
	"github.com/hardpan/hardpan/internal/maint/shell"
)

// Config is what the programs need to know of the image.
type Config struct {
	// Version returns the version of a package of the image, "" where it has none.
	Version func(pkg string) string
	// Omitted is told, unless nil, of each call whose effect is left out, with why.
	Omitted func(command, why string)
}

// Commands returns the programs by name.
func Commands(c Config) map[string]shell.Command {
	icons := getopt.Command("f|force t|ignore-theme-index i|index-only include-image-data c|source= q|quiet v|validate", 1, updateIconCache)
	return map[string]shell.Command{
		"gtk-update-icon-cache":     icons,
		"gtk-update-icon-cache-3.0": icons,
		"gtk4-update-icon-cache":    icons,
		"gio-querymodules":          queryModules,
		"gdk-pixbuf-query-loaders":  c.queryLoaders,
		"gtk-query-immodules-2.0":   c.queryInputMethods(gtk2),
		"gtk-query-immodules-3.0":   c.queryInputMethods(gtk3),
		"fc-cache":                  getopt.Command("E|error-on-no-fonts r|really-force f|force s|system-only y|sysroot= v|verbose V|version h|help", 1, c.fcCache),
		"mandb":                     c.mandb,
		"mkfontscale":               mkfontscale,
		"update-desktop-database":   getopt.Command("q|quiet v|verbose version", 1, updateDesktop),
		"update-mime-database":      getopt.Command("h v V n", 1, c.updateMIME),
		"setpriv":                   asUser,
		"runuser":                   asUser,
	}
}
