/*
 * hardpan-probe: asks a server on this host whether it is well.
 *
 *   probe [-t SECONDS] http://HOST[:PORT][/PATH]
 *   probe [-t SECONDS] tcp://HOST:PORT
 *
 * HOST is 127.x.x.x, [::1] or localhost: the probe connects to nothing else, so that
 * it is of no use to whoever breaks into a container. Over http a status of 200 to
 * 399 is healthy, over tcp a connection. It exits 0, or 1 having printed why not.
 *
 * It has no libc, no heap and no writable memory but its stack. Nothing that a
 * server sends is stored: it is looked at byte by byte. Nothing is divided, as
 * some processors cannot.
 */
#include "sys.h"

#define VERSION "1.0.0"

enum { HEALTHY = 0, UNHEALTHY = 1 };

enum {
  MAX_HEAD = 64 << 10,  /* bytes that may precede the status of the answer */
  MAX_DRAIN = 1 << 20,  /* bytes that are read after it, so that the server sees no reset */
  MAX_DRAIN_SECONDS = 1,
  MAX_TIMEOUT = 86400,
};

/* The compiler calls these for what the language assigns as a whole. */
void *memset(void *to, int c, size_t n) {
  for (u8 *p = to; n > 0; n--) *p++ = c;
  return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n) {
  const u8 *q = from;
  for (u8 *p = to; n > 0; n--) *p++ = *q++;
  return to;
}

struct text {
  const char *at;
  size_t len;
};

#define TEXT(literal) ((struct text){literal, sizeof(literal) - 1})

static size_t length(const char *s) {
  size_t n = 0;
  while (s[n]) n++;
  return n;
}

static int equal(struct text a, struct text b) {
  if (a.len != b.len) return 0;
  for (size_t i = 0; i < a.len; i++)
    if (a.at[i] != b.at[i]) return 0;
  return 1;
}

static int cut_prefix(struct text *t, struct text prefix) {
  if (t->len < prefix.len || !equal((struct text){t->at, prefix.len}, prefix)) return 0;
  t->at += prefix.len, t->len -= prefix.len;
  return 1;
}

static int is_digit(char c) { return c >= '0' && c <= '9'; }

/* What is said of a failure. */

static void print(struct text t) { call(SYS_write, 1, (long)t.at, (long)t.len, 0, 0); }

static void print_number(u32 n) { /* of at most four digits */
  static const u16 units[] = {1000, 100, 10, 1};
  char digits[4];
  size_t len = 0;
  for (int i = 0; i < 4; i++) {
    char digit = '0';
    for (; n >= units[i] && digit < '9'; digit++) n -= units[i];
    if (len > 0 || digit > '0' || i == 3) digits[len++] = digit;
  }
  print((struct text){digits, len});
}

__attribute__((noreturn)) static void leave(int code) {
  for (;;) call(SYS_exit_group, code, 0, 0, 0, 0);
}

__attribute__((noreturn)) static void fail(struct text what, struct text why) {
  print(TEXT("hardpan-probe: "));
  print(what);
  print(TEXT(": "));
  print(why);
  print(TEXT("\n"));
  leave(UNHEALTHY);
}

__attribute__((noreturn)) static void fail_number(struct text what, struct text why, u32 number) {
  print(TEXT("hardpan-probe: "));
  print(what);
  print(TEXT(": "));
  print(why);
  print_number(number);
  print(TEXT("\n"));
  leave(UNHEALTHY);
}

__attribute__((noreturn)) static void fail_errno(struct text what, long error) {
  switch (-error) {
  case ECONNREFUSED: fail(what, TEXT("connection refused"));
  case ECONNRESET: fail(what, TEXT("connection reset"));
  case ETIMEDOUT: fail(what, TEXT("no connection in time"));
  }
  fail_number(what, TEXT("error "), -error);
}

/* What is to be asked, as the arguments say it. */

struct target {
  struct text url;       /* as given, for messages */
  struct text authority; /* of the Host header */
  struct text path;      /* may begin with ? or be empty */
  int http;
  int families; /* 1: IPv4, 2: IPv6, 3: both, of localhost */
  u8 v4[4];
  u8 port[2];
};

/* parse_v4 reads four decimal numbers without leading zeros. */
static int parse_v4(struct text t, u8 *out) {
  size_t i = 0;
  for (int part = 0; part < 4; part++) {
    if (part > 0 && (i >= t.len || t.at[i++] != '.')) return 0;
    u32 n = 0;
    size_t start = i;
    while (i < t.len && is_digit(t.at[i]) && i - start < 3) n = n * 10 + (t.at[i++] - '0');
    if (i == start || n > 255 || (i - start > 1 && t.at[start] == '0')) return 0;
    out[part] = n;
  }
  return i == t.len;
}

/* hex returns the value of a digit, or -1. */
static int hex(char c) {
  if (is_digit(c)) return c - '0';
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* is_v6_loopback reports whether t is a form of ::1 (RFC 4291, section 2.2). */
static int is_v6_loopback(struct text t) {
  size_t i = 0;
  int groups = 0, compressed = 0;
  u32 last = 0;
  if (cut_prefix(&t, TEXT("::"))) compressed = 1;
  while (i < t.len) {
    if (last != 0 || groups == 8) return 0; /* only the last group is not zero */
    size_t start = i;
    for (last = 0; i < t.len && i - start < 4 && hex(t.at[i]) >= 0; i++) last = last * 16 + hex(t.at[i]);
    if (i == start) return 0;
    groups++;
    if (i == t.len) break;
    if (t.at[i++] != ':' || i == t.len) return 0;
    if (t.at[i] == ':') {
      if (compressed++ || ++i == t.len) return 0;
    }
  }
  return last == 1 && (compressed ? groups < 8 : groups == 8);
}

static int parse_port(struct text t, u8 *out) {
  u32 n = 0;
  if (t.len == 0 || t.len > 5) return 0;
  for (size_t i = 0; i < t.len; i++) {
    if (!is_digit(t.at[i])) return 0;
    n = n * 10 + (t.at[i] - '0');
  }
  out[0] = n >> 8, out[1] = n;
  return n > 0 && n < 65536;
}

/* parse_authority reads HOST or HOST:PORT. */
static void parse_authority(struct target *t) {
  struct text host = t->authority, port = {0};
  int bracketed = host.len > 0 && host.at[0] == '[';
  for (size_t i = host.len; i-- > 0 && host.at[i] != ']';)
    if (host.at[i] == ':') {
      port = (struct text){host.at + i + 1, host.len - i - 1};
      host.len = i;
      break;
    }
  if (port.at == 0 && t->http) {
    port = TEXT("80");
  }
  if (!parse_port(port, t->port)) fail(t->url, TEXT("expected a port from 1 to 65535"));
  if (equal(host, TEXT("localhost"))) {
    t->families = 3;
    t->v4[0] = 127, t->v4[3] = 1;
  } else if (bracketed) {
    if (host.len >= 2 && host.at[host.len - 1] == ']' && is_v6_loopback((struct text){host.at + 1, host.len - 2})) t->families = 2;
  } else if (parse_v4(host, t->v4) && t->v4[0] == 127) {
    t->families = 1;
  }
  if (!t->families) fail(t->url, TEXT("expected the host 127.x.x.x, [::1] or localhost"));
}

static void parse_target(struct target *t, const char *arg) {
  struct text rest = {arg, length(arg)};
  t->url = rest;
  for (size_t i = 0; i < rest.len; i++)
    if (rest.at[i] <= ' ' || rest.at[i] > '~') fail(TEXT("target"), TEXT("expected printable ASCII without spaces"));
  t->http = cut_prefix(&rest, TEXT("http://"));
  if (!t->http && !cut_prefix(&rest, TEXT("tcp://"))) fail(t->url, TEXT("expected http:// or tcp://"));
  t->authority = (struct text){rest.at, 0};
  while (t->authority.len < rest.len) {
    char c = rest.at[t->authority.len];
    if (c == '/' || c == '?' || c == '#') break;
    t->authority.len++;
  }
  parse_authority(t);
  t->path = (struct text){rest.at + t->authority.len, 0};
  for (size_t left = rest.len - t->authority.len; t->path.len < left && t->path.at[t->path.len] != '#';) t->path.len++;
  if (!t->http && rest.len > t->authority.len) fail(t->url, TEXT("expected nothing after the port"));
}

/* parse_seconds reads a decimal number such as 4.5, more than 0. */
static int parse_seconds(const char *s, struct time *t) {
  static const u32 units[] = {100000000, 10000000, 1000000, 100000, 10000, 1000, 100, 10, 1};
  if (!is_digit(*s)) return 0;
  for (; is_digit(*s); s++)
    if ((t->sec = t->sec * 10 + (*s - '0')) > MAX_TIMEOUT) return 0;
  if (*s == '.') {
    if (!is_digit(*++s)) return 0;
    for (int i = 0; is_digit(*s); s++)
      if (i < 9) t->nsec += (*s - '0') * (long)units[i++];
  }
  return *s == 0 && (t->sec > 0 || t->nsec > 0);
}

/* Time. */

static struct time now(void) {
  struct time t = {0, 0};
  call(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&t, 0, 0, 0);
  return t;
}

static struct time add(struct time a, struct time b) {
  a.sec += b.sec, a.nsec += b.nsec;
  if (a.nsec >= 1000000000) a.sec++, a.nsec -= 1000000000;
  return a;
}

static int before(struct time a, struct time b) { return a.sec < b.sec || (a.sec == b.sec && a.nsec < b.nsec); }

/* wait_for waits until the socket is ready; it returns 0 once the deadline is past. */
static int wait_for(int fd, short events, struct time deadline) {
  for (;;) {
    struct time at = now(), left;
    if (!before(at, deadline)) return 0;
    left.sec = deadline.sec - at.sec, left.nsec = deadline.nsec - at.nsec;
    if (left.nsec < 0) left.sec--, left.nsec += 1000000000;
    struct pollfd p = {fd, events, 0};
    long n = call(SYS_ppoll, (long)&p, 1, (long)&left, 0, 8);
    if (n > 0) return 1;
    if (n < 0 && n != -EINTR) return 0;
  }
}

/* dial returns a connected socket or an error. */
static long dial(struct target *t, int family, struct time deadline) {
  struct address a = {.family = family, .port = {t->port[0], t->port[1]}};
  if (family == AF_INET)
    for (int i = 0; i < 4; i++) a.v4[i] = t->v4[i];
  else
    a.v6.address[15] = 1;
  long fd = call(SYS_socket, family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, 0, 0);
  if (fd < 0) return fd;
  long error = call(SYS_connect, fd, (long)&a, family == AF_INET ? 16 : 28, 0, 0);
  if (error == -EINPROGRESS || error == -EAGAIN || error == -EINTR) {
    int pending = 0;
    u32 size = sizeof pending;
    if (!wait_for(fd, POLLOUT, deadline)) return -ETIMEDOUT;
    error = call(SYS_getsockopt, fd, SOL_SOCKET, SO_ERROR, (long)&pending, (long)&size);
    if (error == 0) error = -pending;
  }
  if (error == 0) return fd;
  call(SYS_close, fd, 0, 0, 0, 0);
  return error;
}

static int connect_to(struct target *t, struct time deadline) {
  long fd = -1;
  if (t->families & 1) fd = dial(t, AF_INET, deadline);
  if (fd < 0 && t->families & 2) {
    long other = dial(t, AF_INET6, deadline);
    if (other >= 0 || !(t->families & 1)) fd = other;
  }
  if (fd < 0) fail_errno(t->url, fd);
  return fd;
}

static void send_request(struct target *t, int fd, struct time deadline) {
  struct text parts[] = {
      TEXT("GET "), TEXT("/"), t->path, TEXT(" HTTP/1.1\r\nHost: "), t->authority,
      TEXT("\r\nUser-Agent: hardpan-probe/" VERSION "\r\nAccept: */*\r\nConnection: close\r\n\r\n"),
  };
  if (t->path.len > 0 && t->path.at[0] == '/') parts[1].len = 0;
  for (size_t i = 0; i < sizeof parts / sizeof *parts;) {
    if (parts[i].len == 0) {
      i++;
      continue;
    }
    struct iovec iov[sizeof parts / sizeof *parts];
    size_t n = 0;
    for (size_t k = i; k < sizeof parts / sizeof *parts; k++) iov[n++] = (struct iovec){parts[k].at, parts[k].len};
    struct msghdr m = {.iov = iov, .iovlen = n};
    long sent = call(SYS_sendmsg, fd, (long)&m, MSG_NOSIGNAL, 0, 0);
    if (sent == -EAGAIN) {
      if (!wait_for(fd, POLLOUT, deadline)) fail(t->url, TEXT("the request was not taken in time"));
      continue;
    }
    if (sent == -EINTR) continue;
    if (sent < 0) return; /* a server may have answered all the same */
    for (; sent > 0 && i < sizeof parts / sizeof *parts; i++) {
      size_t of_this = (size_t)sent < parts[i].len ? (size_t)sent : parts[i].len;
      parts[i].at += of_this, parts[i].len -= of_this, sent -= of_this;
      if (parts[i].len > 0) break;
    }
  }
}

/* An answer, as it comes in: "HTTP/1.1 200 OK" (RFC 9112, section 4), perhaps after
   others of the statuses 100 to 199 with their fields (RFC 9110, section 15.2). */
struct answer {
  u32 column; /* of the status line; after it, see SKIP */
  u32 status;
  int newline; /* the line before was ended, and nothing is on this one */
  int done;
};

enum { SKIP = 100 };

/* take looks at one byte; it returns 0 where that is not HTTP. */
static int take(struct answer *a, char c) {
  const char form[] = "HTTP/1.d ddd ";
  if (a->column == SKIP) {
    if (c == '\n') {
      if (a->newline) *a = (struct answer){0};
      else a->newline = 1;
    } else if (c != '\r') {
      a->newline = 0;
    }
    return 1;
  }
  if (a->column == sizeof form - 2) {
    if (c != ' ' && c != '\r' && c != '\n') return 0;
    if (a->status < 100) return 0;
    a->done = a->status >= 200 || a->status == 101; /* nobody asked to switch protocols */
    a->column = SKIP;
    a->newline = c == '\n';
    return 1;
  }
  if (form[a->column] == 'd' ? !is_digit(c) : c != form[a->column]) return 0;
  if (a->column > 8) a->status = a->status * 10 + (c - '0');
  a->column++;
  return 1;
}

/* get reads the status of the answer. */
static u32 get(struct target *t, int fd, struct time deadline) {
  struct answer a = {0};
  char buffer[1024];
  for (u32 total = 0; total < MAX_HEAD;) {
    long n = call(SYS_read, fd, (long)buffer, sizeof buffer, 0, 0);
    if (n == -EAGAIN) {
      if (!wait_for(fd, POLLIN, deadline)) fail(t->url, TEXT("no answer in time"));
      continue;
    }
    if (n == -EINTR) continue;
    if (n < 0) fail_errno(t->url, n);
    if (n == 0) fail(t->url, TEXT("closed without an answer"));
    total += n;
    for (long i = 0; i < n; i++) {
      if (!take(&a, buffer[i])) fail(t->url, TEXT("the answer is not HTTP/1"));
      if (a.done) return a.status;
    }
    if (!before(now(), deadline)) fail(t->url, TEXT("no answer in time"));
  }
  fail(t->url, TEXT("no status in the first 64 KiB of the answer"));
}

/* drain reads what is left of the answer, for a while: many a server logs an error
   where its client goes away early. */
static void drain(int fd, struct time deadline) {
  struct time until = add(now(), (struct time){MAX_DRAIN_SECONDS, 0});
  char buffer[4096];
  if (before(deadline, until)) until = deadline;
  for (u32 total = 0; total < MAX_DRAIN;) {
    long n = call(SYS_read, fd, (long)buffer, sizeof buffer, 0, 0);
    if (n == -EAGAIN ? !wait_for(fd, POLLIN, until) : n <= 0 && n != -EINTR) return;
    if (n > 0) total += n;
    if (!before(now(), until)) return;
  }
}

/* entry is called by _start with what the kernel has put on the stack: the number of
   arguments, and the arguments. */
__attribute__((noreturn, used, visibility("hidden"))) void entry(long *stack) {
  long argc = stack[0];
  char **argv = (char **)(stack + 1);
  struct time timeout = {0, 0};
  struct target t = {0};
  int i = 1;
  if (argc == 2 && equal((struct text){argv[1], length(argv[1])}, TEXT("--version"))) {
    print(TEXT("hardpan-probe " VERSION "\n"));
    leave(HEALTHY);
  }
  if (argc == 4 && equal((struct text){argv[1], length(argv[1])}, TEXT("-t"))) {
    if (!parse_seconds(argv[2], &timeout)) fail(TEXT("-t"), TEXT("expected seconds, such as 4.5"));
    i = 3;
  } else {
    timeout.sec = 5;
  }
  if (argc != i + 1) fail(TEXT("usage"), TEXT("probe [-t SECONDS] http://HOST[:PORT][/PATH] or tcp://HOST:PORT"));
  parse_target(&t, argv[i]);
  struct time deadline = add(now(), timeout);
  int fd = connect_to(&t, deadline);
  if (!t.http) leave(HEALTHY);
  send_request(&t, fd, deadline);
  u32 status = get(&t, fd, deadline);
  drain(fd, deadline);
  if (status < 200 || status > 399) fail_number(t.url, TEXT("status "), status);
  leave(HEALTHY);
}
