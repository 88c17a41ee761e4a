package desktop

import (
	"github.com/hardpan/hardpan/internal/maint/getopt"
	"github.com/hardpan/hardpan/internal/maint/shell"
)

// Commands returns the programs by name.
func Commands() map[string]shell.Command {
	icons := getopt.Command("f|force t|ignore-theme-index i|index-only include-image-data c|source= q|quiet v|validate", 1, updateIconCache)
	return map[string]shell.Command{
		"gtk-update-icon-cache":     icons,
		"gtk-update-icon-cache-3.0": icons,
		"gtk4-update-icon-cache":    icons,
	}
}
