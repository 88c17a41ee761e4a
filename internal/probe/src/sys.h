/*
 * What the probe needs of Linux: entry, system calls and the few types and numbers
 * of its ABI, for every platform that Debian builds for. The numbers are those of
 * the kernel's arch/.../syscall*.tbl and include/uapi, which never change.
 */

typedef __SIZE_TYPE__ size_t;
typedef __UINT8_TYPE__ u8;
typedef __UINT16_TYPE__ u16;
typedef __UINT32_TYPE__ u32;

#if defined(__x86_64__)

enum { SYS_read = 0, SYS_write = 1, SYS_close = 3, SYS_socket = 41, SYS_connect = 42, SYS_sendmsg = 46,
       SYS_getsockopt = 55, SYS_clock_gettime = 228, SYS_exit_group = 231, SYS_ppoll = 271 };

__asm__(".globl _start\n.type _start,@function\n_start:\n"
        "endbr64\nxor %ebp, %ebp\nmov %rsp, %rdi\nand $-16, %rsp\ncall entry\nhlt\n");

static long call(long n, long a, long b, long c, long d, long e) {
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  __asm__ volatile("syscall" : "+a"(n) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
  return n;
}

#elif defined(__i386__)

enum { SYS_read = 3, SYS_write = 4, SYS_close = 6, SYS_exit_group = 252, SYS_clock_gettime = 265, SYS_ppoll = 309,
       SYS_socket = 359, SYS_connect = 362, SYS_getsockopt = 365, SYS_sendmsg = 370 };

__asm__(".globl _start\n.type _start,@function\n_start:\n"
        "endbr32\nxor %ebp, %ebp\nmov %esp, %eax\nand $-16, %esp\nsub $12, %esp\npush %eax\ncall entry\nhlt\n");

static long call(long n, long a, long b, long c, long d, long e) {
  __asm__ volatile("int $0x80" : "+a"(n) : "b"(a), "c"(b), "d"(c), "S"(d), "D"(e) : "memory");
  return n;
}

#elif defined(__aarch64__)

enum { SYS_close = 57, SYS_read = 63, SYS_write = 64, SYS_ppoll = 73, SYS_exit_group = 94, SYS_clock_gettime = 113,
       SYS_socket = 198, SYS_connect = 203, SYS_getsockopt = 209, SYS_sendmsg = 211 };

__asm__(".globl _start\n.type _start,%function\n_start:\n"
        "hint 34\nmov x29, xzr\nmov x30, xzr\nmov x0, sp\nand x1, x0, #-16\nmov sp, x1\nb entry\n");

static long call(long n, long a, long b, long c, long d, long e) {
  register long x8 __asm__("x8") = n;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
  return x0;
}

#elif defined(__arm__)

enum { SYS_read = 3, SYS_write = 4, SYS_close = 6, SYS_exit_group = 248, SYS_clock_gettime = 263, SYS_socket = 281,
       SYS_connect = 283, SYS_getsockopt = 295, SYS_sendmsg = 296, SYS_ppoll = 336 };

__asm__(".globl _start\n.type _start,%function\n.arm\n_start:\n"
        "mov fp, #0\nmov lr, #0\nmov r0, sp\nbic r1, r0, #7\nmov sp, r1\nbl entry\n");

static long call(long n, long a, long b, long c, long d, long e) {
  register long r7 __asm__("r7") = n;
  register long r0 __asm__("r0") = a;
  register long r1 __asm__("r1") = b;
  register long r2 __asm__("r2") = c;
  register long r3 __asm__("r3") = d;
  register long r4 __asm__("r4") = e;
  __asm__ volatile("svc 0" : "+r"(r0) : "r"(r7), "r"(r1), "r"(r2), "r"(r3), "r"(r4) : "memory");
  return r0;
}

#elif defined(__riscv) && __riscv_xlen == 64

enum { SYS_close = 57, SYS_read = 63, SYS_write = 64, SYS_ppoll = 73, SYS_exit_group = 94, SYS_clock_gettime = 113,
       SYS_socket = 198, SYS_connect = 203, SYS_getsockopt = 209, SYS_sendmsg = 211 };

__asm__(".globl _start\n.type _start,@function\n_start:\nmv a0, sp\nandi sp, sp, -16\nmv ra, zero\ntail entry\n");

static long call(long n, long a, long b, long c, long d, long e) {
  register long a7 __asm__("a7") = n;
  register long a0 __asm__("a0") = a;
  register long a1 __asm__("a1") = b;
  register long a2 __asm__("a2") = c;
  register long a3 __asm__("a3") = d;
  register long a4 __asm__("a4") = e;
  __asm__ volatile("ecall" : "+r"(a0) : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4) : "memory");
  return a0;
}

#elif defined(__powerpc64__) && _CALL_ELF == 2

enum { SYS_read = 3, SYS_write = 4, SYS_close = 6, SYS_exit_group = 234, SYS_clock_gettime = 246, SYS_ppoll = 281,
       SYS_socket = 326, SYS_connect = 328, SYS_getsockopt = 340, SYS_sendmsg = 341 };

/* Linux enters with the address of _start in r12 (64-bit ELF V2 ABI, 4.1.2.1). */
__asm__(".globl _start\n.type _start,@function\n_start:\n"
        "addis 2, 12, .TOC.-_start@ha\naddi 2, 2, .TOC.-_start@l\n.localentry _start, .-_start\n"
        "mr 3, 1\nclrrdi 1, 1, 4\nli 0, 0\nstdu 0, -32(1)\nmtlr 0\nbl entry\nnop\n");

static long call(long n, long a, long b, long c, long d, long e) {
  register long r0 __asm__("r0") = n;
  register long r3 __asm__("r3") = a;
  register long r4 __asm__("r4") = b;
  register long r5 __asm__("r5") = c;
  register long r6 __asm__("r6") = d;
  register long r7 __asm__("r7") = e;
  __asm__ volatile("sc\nbns+ 1f\nneg 3, 3\n1:"
                   : "+r"(r0), "+r"(r3), "+r"(r4), "+r"(r5), "+r"(r6), "+r"(r7)
                   :
                   : "memory", "cr0", "ctr", "xer", "r8", "r9", "r10", "r11", "r12");
  return r3;
}

#elif defined(__s390x__)

enum { SYS_read = 3, SYS_write = 4, SYS_close = 6, SYS_exit_group = 248, SYS_clock_gettime = 260, SYS_ppoll = 302,
       SYS_socket = 359, SYS_connect = 362, SYS_getsockopt = 365, SYS_sendmsg = 370 };

__asm__(".globl _start\n.type _start,@function\n_start:\n"
        "lgr %r2, %r15\naghi %r15, -160\nxc 0(8, %r15), 0(%r15)\nbrasl %r14, entry\n");

static long call(long n, long a, long b, long c, long d, long e) {
  register long r1 __asm__("r1") = n;
  register long r2 __asm__("r2") = a;
  register long r3 __asm__("r3") = b;
  register long r4 __asm__("r4") = c;
  register long r5 __asm__("r5") = d;
  register long r6 __asm__("r6") = e;
  __asm__ volatile("svc 0" : "+d"(r2) : "d"(r1), "d"(r3), "d"(r4), "d"(r5), "d"(r6) : "memory");
  return r2;
}

#else
#error "no system calls for this platform"
#endif

/* The numbers that follow are the same on all of these platforms. */

enum { EINTR = 4, EAGAIN = 11, ECONNRESET = 104, ETIMEDOUT = 110, ECONNREFUSED = 111, EINPROGRESS = 115 };
enum { AF_INET = 2, AF_INET6 = 10 };
enum { SOCK_STREAM = 1, SOCK_NONBLOCK = 04000, SOCK_CLOEXEC = 02000000 };
enum { SOL_SOCKET = 1, SO_ERROR = 4, MSG_NOSIGNAL = 0x4000 };
enum { POLLIN = 1, POLLOUT = 4 };
enum { CLOCK_MONOTONIC = 1 };

/* A long each: on 32 bits these are the calls for times that end in 2038, of which
   the clock that counts from the start of the machine is far away. */
struct time {
  long sec, nsec;
};

struct pollfd {
  int fd;
  short events, revents;
};

struct iovec {
  const void *base;
  size_t len;
};

struct msghdr {
  void *name;
  int namelen;
  struct iovec *iov;
  size_t iovlen;
  void *control;
  size_t controllen;
  unsigned flags;
};

/* sockaddr_in and sockaddr_in6; port and address in network order. */
struct address {
  u16 family;
  u8 port[2];
  union {
    u8 v4[12]; /* 4, and 8 of padding */
    struct {
      u8 flow[4], address[16], scope[4];
    } v6;
  };
};
