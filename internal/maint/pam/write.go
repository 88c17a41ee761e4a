package pam

import (
	"crypto/md5"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// originals are the MD5 sums that the files of earlier versions have outside the
// parts that pam-auth-update writes: such a file is made anew from the present
// template.
var originals = map[string][]string{
	"auth":                   {"8d4fe17e66ba25de16a117035d1396aa"},
	"account":                {"3c0c362eaf3421848b679d63fd48c3fa"},
	"password":               {"4d5c92d595a46b69cd61f18feb4c0574", "50fce2113dfda83ac8bdd5a6e706caec", "4bd7610f2e85f8ddaef79c7db7cb49eb", "9ba753d0824276b44bcadfee1f87b6bc"},
	"session":                {"f297c731a467822cbd86e1283263e8a3", "240fb92986c885b327cdb21dd641da8c", "4a25673e8b36f1805219027d3be02cd2", "9e633425b1878897695217ecaf75e204"},
	"session-noninteractive": {"ad2b78ce1498dd637ef36469430b6ac6", "53c1ede0bf4c07879d3582d875917545"},
}

// write writes all files. As pam-auth-update, it gives up in silence where a file
// has not the marks that it needs.
func (u *update) write() error {
	if err := u.FS.MkdirAll(saveDir, 0o755); err != nil {
		return err
	}
	for _, kind := range kinds {
		target := confDir + "/common-" + kind
		from := target
		if current, err := u.FS.ReadFile(target); err == nil && slices.Contains(originals[kind], outside(string(current))) {
			from = templateDir + "/common-" + kind
		}
		text, ok := u.fill(from, kind)
		if !ok && u.force {
			text, ok = u.fill(templateDir+"/common-"+kind, kind)
		}
		if !ok {
			return nil
		}
		if err := u.backUp(target); err != nil {
			return err
		}
		for _, f := range []struct{ temporary, name, text string }{
			{target + ".pam-new", target, text},
			{saveDir + "/" + kind + ".new", saveDir + "/" + kind, u.saved(kind)},
		} {
			if err := u.FS.WriteFile(f.temporary, []byte(f.text), 0o644); err != nil {
				return err
			}
			if err := u.FS.Rename(f.temporary, f.name); err != nil {
				return err
			}
		}
	}
	return nil
}

// backUp keeps the file that --force overwrites.
func (u *update) backUp(target string) error {
	n, err := u.FS.Stat(target)
	if err != nil || !u.force {
		return nil
	}
	b, err := u.FS.ReadFile(target)
	if err != nil {
		return err
	}
	return u.FS.WriteFile(target+".pam-old", b, n.Mode&^0o022)
}

// outside returns the MD5 sum of what is not between the marks.
func outside(text string) string {
	var b strings.Builder
	state := 0
	for line := range strings.Lines(text) {
		switch {
		case state == 1 && !strings.HasPrefix(line, markFallback), state == 3 && !strings.HasPrefix(line, markEnd):
			continue
		case state == 1, state == 3, state == 0 && strings.HasPrefix(line, markPrimary), state == 2 && strings.HasPrefix(line, markAdditional):
			state++
		}
		b.WriteString(line)
	}
	sum := md5.Sum([]byte(b.String()))
	return hex.EncodeToString(sum[:])
}

// fill returns a template with the lines of the enabled profiles between its
// marks; ok is false where it lacks one.
func (u *update) fill(template, kind string) (text string, ok bool) {
	in, err := u.FS.ReadFile(template)
	if err != nil {
		return "", false
	}
	var b strings.Builder
	state := 0
	for line := range strings.Lines(string(in)) {
		if state == 1 && !strings.HasPrefix(line, markFallback) || state == 3 && !strings.HasPrefix(line, markEnd) {
			continue
		}
		b.WriteString(line)
		switch {
		case state == 0 && strings.HasPrefix(line, markPrimary):
			u.block(&b, kind, "Primary")
			state++
		case state == 2 && strings.HasPrefix(line, markAdditional):
			u.block(&b, kind, "Additional")
			state++
		case state == 1, state == 3:
			state++
		}
	}
	return b.String(), state == 4
}

// title is the kind with a capital letter, as it is in the profiles.
func title(kind string) string { return strings.ToUpper(kind[:1]) + kind[1:] }

// block writes the lines of the profiles that belong into one block. A jump to the
// end becomes one over the lines that follow.
func (u *update) block(b *strings.Builder, kind, which string) {
	var lines []string
	first := true
	for _, name := range u.enabled {
		p := u.profiles[name]
		if p.fields[title(kind)+"-Type"] != which {
			continue
		}
		lines = append(lines, p.lines(title(kind), first)...)
		first = false
	}
	count := len(lines)
	if which == "Additional" {
		count-- // so that no jump leaves the stack
	}
	word := strings.TrimSuffix(kind, "-noninteractive")
	if which == "Primary" && count == 0 {
		b.WriteString(word + "\t[default=1]\t\t\tpam_permit.so\n")
	}
	for _, line := range lines {
		b.WriteString(word + "\t" + u.merge(kind, line, count))
		count--
	}
}

// merge returns one line with the changes that somebody made to its options.
func (u *update) merge(kind, line string, count int) string {
	m := oneLine.FindStringSubmatch(line)
	if m == nil {
		return " \n"
	}
	head, options := strings.ReplaceAll(m[1], "end", strconv.Itoa(count)), strings.Fields(m[2])
	if u.diff != nil {
		key := jump.ReplaceAllString(head, "$1$2")
		c := u.diff.kinds[kind]
		for _, o := range options {
			delete(c.add[key], o)
		}
		options = slices.DeleteFunc(options, func(o string) bool { return c.remove[key][o] })
		options = append(options, slices.Sorted(maps.Keys(c.add[key]))...)
	}
	return head + " " + strings.Join(options, " ") + "\n"
}

// saved is what /var/lib/pam remembers of a file.
func (u *update) saved(kind string) string {
	var b strings.Builder
	for _, other := range []string{"Additional", "Primary"} { // what the other block has is left out
		first, count := true, 0
		for _, name := range u.enabled {
			p := u.profiles[name]
			of := p.fields[title(kind)+"-Type"]
			if of == "" || of == other {
				continue
			}
			text := p.fields[title(kind)]
			if initial := p.fields[title(kind)+"-Initial"]; first && initial != "" {
				text = initial
			}
			first = false
			count++
			if text != "" {
				b.WriteString("Module: " + name + "\n" + text + "\n")
			}
		}
		if other == "Additional" && count == 0 {
			b.WriteString("Module: null\n[default=1]\t\t\tpam_permit.so\n")
		}
	}
	return b.String()
}
