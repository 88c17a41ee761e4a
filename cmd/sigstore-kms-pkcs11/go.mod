module github.com/hardpan/hardpan/cmd/sigstore-kms-pkcs11

go 1.26.8

require (
	github.com/miekg/pkcs11 v1.1.2
	github.com/sigstore/sigstore v1.10.8
)
