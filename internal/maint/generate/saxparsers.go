package generate

import (
	"context"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/getopt"
	"github.com/hardpan/hardpan/internal/maint/shell"
)

// Where update-perl-sax-parsers(8) keeps what parsers say of themselves, and the file
// that it makes of that.
const (
	saxDetails = "/var/lib/libxml-sax-perl/ParserDetails.d"
	saxFile    = "/etc/perl/XML/SAX/ParserDetails.ini"
	saxSums    = "/var/lib/libxml-sax-perl/ParserDetails.ini.md5sum"
)

// saxFeatures are the features that Debian's parsers say they have, where the program
// loads the modules and asks them.
var saxFeatures = map[string]string{
	"XML::SAX::PurePerl":       saxNamespaces,
	"XML::LibXML::SAX":         saxNamespaces,
	"XML::LibXML::SAX::Parser": saxNamespaces,
	"XML::SAX::Expat":          saxEntities + saxNamespaces,
	"XML::SAX::ExpatXS": saxEntities + saxNamespaces + "http://xml.org/sax/features/xmlns-uris = 1\n" + "http://xmlns.perl.org/sax/join-character-data = 1\n" +
		"http://xmlns.perl.org/sax/locator = 1\n" + "http://xmlns.perl.org/sax/ns-attributes = 1\n" + "http://xmlns.perl.org/sax/recstring = 1\n" +
		"http://xmlns.perl.org/sax/version-2.1 = 1\n" + "http://xmlns.perl.org/sax/xmlns-uris = 1\n",
}

const (
	saxNamespaces = "http://xml.org/sax/features/namespaces = 1\n"
	saxEntities   = "http://xml.org/sax/features/external-general-entities = 1\nhttp://xml.org/sax/features/external-parameter-entities = 1\n"
)

// updateSAXParsers is update-perl-sax-parsers(8) of libxml-sax-perl.
var updateSAXParsers = getopt.Command("add= remove= update quiet priority=", 1, func(ctx context.Context, c *getopt.Call) (int, error) {
	priority := c.Value("priority")
	if !c.Has("priority") {
		priority = "50"
	}
	say := func(text string) {
		if !c.Has("quiet") {
			_, _ = c.Stdout.Write([]byte("update-perl-sax-parsers: " + text + "...\n"))
		}
	}
	details := func(parser string) string {
		if strings.Trim(priority, "0") == "" {
			return saxDetails + "/" + parser
		}
		return saxDetails + "/" + priority + "-" + parser
	}
	switch parser := c.Value("add"); {
	case c.Has("add") && saxFeatures[parser] == "":
		return 0, shell.Unsupported("update-perl-sax-parsers: to ask the parser %s, which is perl code, for its features", parser)
	case c.Has("add"):
		say("Registering Perl SAX parser " + parser + " with priority " + priority)
		if err := c.FS.WriteFile(details(parser), []byte("["+parser+"]\n"+saxFeatures[parser]+"\n\n"), 0o644); err != nil {
			return fail(c.Proc, err)
		}
		return 0, nil
	case c.Has("remove"):
		say("Unregistering Perl SAX parser " + c.Value("remove") + " with priority " + priority)
		if err := c.FS.RemoveAll(details(c.Value("remove"))); err != nil {
			return fail(c.Proc, err)
		}
		return 0, nil
	case c.Has("update"):
		say("Updating overall Perl SAX parser modules info file")
		return saxUpdate(ctx, c.Proc)
	}
	return 0, nil
})

// saxUpdate makes the file of all details and lets ucf put it in place.
func saxUpdate(ctx context.Context, p *shell.Proc) (int, error) {
	names, err := p.FS.ReadDir(saxDetails)
	if err != nil {
		return fail(p, err)
	}
	var all, inputs []string
	for _, name := range names {
		b, err := p.FS.ReadFile(saxDetails + "/" + name)
		if err != nil {
			return fail(p, err)
		}
		all, inputs = append(all, string(b)), append(inputs, saxDetails+"/"+name)
	}
	const temporary = "/tmp/ParserDetails.ini"
	from(p, inputs...)
	if err := p.FS.WriteFile(temporary, []byte(strings.Join(all, "")), 0o644); err != nil {
		return fail(p, err)
	}
	if _, err := p.Run(ctx, "ucf", "--debconf-ok", "--sum-file", saxSums, temporary, saxFile); err != nil {
		return 0, err
	}
	if err := p.FS.RemoveAll(temporary); err != nil {
		return fail(p, err)
	}
	return 0, nil
}
