package accounts

import "slices"

// FurtherGroups returns the ids of the groups that a user is a member of beside its
// own, gid, sorted: those that initgroups(3) sets for every account with that id.
func (f *File) FurtherGroups(uid, gid uint32) []uint32 {
	var ids []uint32
	for _, g := range f.Groups {
		if g.GID != gid && slices.ContainsFunc(f.Users, func(u User) bool { return u.UID == uid && slices.Contains(g.Members, u.Name) }) {
			ids = append(ids, g.GID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
