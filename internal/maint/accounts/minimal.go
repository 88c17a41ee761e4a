package accounts

// Minimal returns the accounts of an image without base-passwd: those that
// programs and the kernel's id mapping count on, with base-passwd's ids.
func Minimal() *File {
	const nologin = "/usr/sbin/nologin"
	return &File{
		Users: []User{
			{Name: "root", Password: "*", Gecos: "root", Home: "/root", Shell: nologin},
			{Name: "nobody", Password: "*", UID: 65534, GID: 65534, Gecos: "nobody", Home: "/nonexistent", Shell: nologin},
		},
		Groups: []Group{
			{Name: "root", Password: "*"},
			{Name: "tty", Password: "*", GID: 5},
			{Name: "shadow", Password: "*", GID: 42},
			{Name: "nogroup", Password: "*", GID: 65534},
		},
	}
}
