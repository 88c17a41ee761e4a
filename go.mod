module github.com/hardpan/hardpan

go 1.26.0

require (
	github.com/pavlo-v-chernykh/keystore-go/v4 v4.5.0
	mvdan.cc/sh/v3 v3.14.1
)
