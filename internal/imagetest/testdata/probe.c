/* What a program takes from glibc's image: accounts, time zones, locales,
   character sets, services, and libraries that are loaded at run time. */
#include <dlfcn.h>
#include <iconv.h>
#include <locale.h>
#include <netdb.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(void)
{
	struct passwd *user = getpwuid(getuid());
	struct servent *https = getservbyname("https", "tcp");
	time_t then = 1754697600;
	char text[64] = "";

	setenv("TZ", "Europe/Berlin", 1);
	strftime(text, sizeof text, "%Y-%m-%d %H:%M %Z", localtime(&then));
	printf("zone: %s\n", text);
	printf("user: %s %d\n", user ? user->pw_name : "none", (int)getuid());
	printf("locale: %s\n", setlocale(LC_ALL, ""));
	printf("https: %d\n", https ? (int)(unsigned char)(https->s_port >> 8) + ((https->s_port & 255) << 8) : 0);
	printf("iconv: %s\n", iconv_open("UTF-8", "ISO-8859-15") == (iconv_t)-1 ? "none" : "yes");
	printf("dlopen: %s\n", dlopen("libm.so.6", RTLD_NOW) ? "yes" : dlerror());
	return 0;
}
