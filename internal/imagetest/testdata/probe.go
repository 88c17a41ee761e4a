// A program that brings everything but what the static image is for: time zones,
// certificate authorities, accounts and a place for temporary files.
package main

import (
	"crypto/x509"
	"fmt"
	"log"
	"os"
	"os/user"
	"time"
)

func main() {
	zone, err := time.LoadLocation("Europe/Berlin")
	check(err)
	fmt.Println("zone:", time.Unix(1754697600, 0).In(zone).Format("2006-01-02 15:04 MST"))

	pool, err := x509.SystemCertPool()
	check(err)
	fmt.Println("authorities:", len(pool.Subjects())) // all of them, on Linux

	u, err := user.Current()
	check(err)
	fmt.Println("user:", u.Username, u.Uid, u.Gid, u.HomeDir)

	dir, err := os.Getwd()
	check(err)
	f, err := os.CreateTemp("", "")
	check(err)
	fmt.Println("directory:", dir, "temporary:", f.Name())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
