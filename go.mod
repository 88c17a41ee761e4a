module github.com/hardpan/hardpan

go 1.26

require (
	github.com/klauspost/compress v1.20.3 // indirect
	github.com/therootcompany/xz v1.0.1 // indirect
)
