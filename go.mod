module github.com/hardpan/hardpan

go 1.26
