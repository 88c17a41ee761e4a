/* crc prints the CRC-32 of each file that it is given, or of its standard input, as
 * gzip computes it (RFC 1952, section 8). */

#include <stdio.h>
#include <zlib.h>

static int sum(FILE *in, const char *name)
{
	static unsigned char buffer[1 << 16];
	uLong crc = crc32(0, Z_NULL, 0);
	size_t n;
	while ((n = fread(buffer, 1, sizeof buffer, in)) > 0)
		crc = crc32(crc, buffer, (uInt)n);
	if (ferror(in)) {
		perror(name);
		return 1;
	}
	printf("%08lx  %s\n", crc, name);
	return 0;
}

int main(int argc, char **argv)
{
	int status = 0;
	if (argc == 1)
		status = sum(stdin, "-");
	for (int i = 1; i < argc; i++) {
		FILE *in = fopen(argv[i], "rb");
		if (!in) {
			perror(argv[i]);
			status = 1;
			continue;
		}
		status |= sum(in, argv[i]);
		fclose(in);
	}
	return fflush(stdout) || status;
}
