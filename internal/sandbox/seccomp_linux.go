package sandbox

import (
	"fmt"
	"runtime"
	"strings"
	"unsafe"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// allowedCalls are the system calls of a step. The list is that of the default
// profile of containers-common and Docker (seccomp.json), without those that serve
// containers within containers, debuggers and kernel keys. Every other call is
// answered as if the kernel did not know it, which C libraries are prepared for.
const allowedCalls = `
_llseek _newselect accept accept4 access adjtimex alarm arch_prctl arm_fadvise64_64
arm_sync_file_range bind brk cachestat capget capset chdir chmod chown chown32 chroot
clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime
clock_gettime64 clock_nanosleep clock_nanosleep_time64 clone close close_range connect
copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old
epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat
exit exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate fchdir fchmod
fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr
flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64
fsync ftruncate ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv
futex_wake futimesat get_mempolicy get_robust_list get_thread_area getcpu getcwd
getdents getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups
getgroups32 getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom
getresgid getresgid32 getresuid getresuid32 getrlimit getrusage getsid getsockname
getsockopt gettid gettimeofday getuid getuid32 getxattr inotify_add_watch inotify_init
inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_setup io_submit
ioctl ioprio_get ioprio_set ipc kill landlock_add_rule landlock_create_ruleset
landlock_restrict_self lchown lchown32 lgetxattr link linkat listen listxattr
llistxattr lremovexattr lseek lsetxattr lstat lstat64 madvise map_shadow_stack mbind
membarrier memfd_create mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap
mmap2 modify_ldt mprotect mq_getsetattr mq_notify mq_open mq_timedreceive
mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal msgctl
msgget msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep
newfstatat open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc
pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64
process_mrelease pselect6 pselect6_time64 pwrite64 pwritev pwritev2 read readahead
readdir readlink readlinkat readv recv recvfrom recvmmsg recvmmsg_time64 recvmsg
remap_file_pages removexattr rename renameat renameat2 restart_syscall rmdir rseq
rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max
sched_get_priority_min sched_getaffinity sched_getattr sched_getparam
sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64
sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp
select semctl semget semop semtimedop semtimedop_time64 send sendfile sendfile64
sendmmsg sendmsg sendto set_mempolicy set_robust_list set_thread_area set_tid_address
set_tls setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32
setitimer setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid
setresuid32 setreuid setreuid32 setrlimit setsid setsockopt setuid setuid32 setxattr
shmat shmctl shmdt shmget shutdown sigaction sigaltstack signal signalfd signalfd4
sigpending sigprocmask sigreturn sigsuspend socket socketcall socketpair splice stat
stat64 statfs statfs64 statx symlink symlinkat sync sync_file_range sync_file_range2
syncfs sysinfo tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime
timer_gettime64 timer_settime timer_settime64 timerfd timerfd_create timerfd_gettime
timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill truncate truncate64
ugetrlimit umask uname unlink unlinkat unshare uretprobe utime utimensat
utimensat_time64 utimes vfork wait4 waitid waitpid write writev
cacheflush breakpoint`

// refusedCalls are those of which a program should learn that they are forbidden.
const refusedCalls = `
acct add_key bdflush bpf clock_settime clock_settime64 delete_module fanotify_init
finit_module fsconfig fsmount fsopen fspick init_module ioperm iopl io_pgetevents kcmp
kexec_file_load kexec_load keyctl lookup_dcookie mount mount_setattr move_mount
move_pages migrate_pages nfsservctl open_by_handle_at open_tree perf_event_open
pidfd_getfd pivot_root process_madvise process_vm_readv process_vm_writev ptrace
quotactl quotactl_fd reboot request_key setdomainname sethostname setns settimeofday
stime swapoff swapon sysfs syslog umount umount2 userfaultfd uselib ustat vhangup
vmsplice`

// newNamespaces are the flags of clone(2) and unshare(2) that make namespaces.
// clone3(2), whose flags a filter cannot see, is unknown to a step.
const newNamespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

// personalities are those that change nothing but what uname(2) says and whether
// addresses are random (personality(2)); the last asks for the current one.
var personalities = []uint64{0, 0x8, 0x20000, 0x20008, 0x40000, 0xffffffff}

// callFilters are the two filters of a step. The kernel runs all of a process's
// filters, and of two errors takes the later filter's.
func callFilters() ([][]bpf.Instruction, error) {
	info, err := arch.GetInfo("")
	if err != nil {
		return nil, fmt.Errorf("system calls of %s are unknown to its library", runtime.GOARCH)
	}
	allow := seccomp.SyscallGroup{Action: seccomp.ActionAllow, Names: known(info, allowedCalls)}
	for _, p := range personalities {
		allow.NamesWithCondtions = append(allow.NamesWithCondtions, when("personality", 0, seccomp.Equal, p))
	}
	first, err := (&seccomp.Policy{DefaultAction: seccomp.ActionErrno, Syscalls: []seccomp.SyscallGroup{allow}}).Assemble()
	if err != nil {
		return nil, err
	}
	for i, in := range first {
		if r, ok := in.(bpf.RetConstant); ok && r.Val&^0xffff == uint32(seccomp.ActionErrno) {
			first[i] = bpf.RetConstant{Val: uint32(seccomp.ActionErrno) | uint32(unix.ENOSYS)}
		}
	}
	refuse := seccomp.SyscallGroup{Action: seccomp.ActionErrno, Names: known(info, refusedCalls)}
	refuse.NamesWithCondtions = []seccomp.NameWithConditions{
		when("clone", 0, seccomp.BitsSet, newNamespaces),
		when("unshare", 0, seccomp.BitsSet, newNamespaces|unix.CLONE_NEWTIME),
		{Name: "socket", Conditions: seccomp.ArgumentConditions{
			{Argument: 0, Operation: seccomp.NotEqual, Value: unix.AF_UNIX},
			{Argument: 0, Operation: seccomp.NotEqual, Value: unix.AF_INET},
			{Argument: 0, Operation: seccomp.NotEqual, Value: unix.AF_INET6},
			{Argument: 0, Operation: seccomp.NotEqual, Value: unix.AF_NETLINK},
		}},
	}
	second, err := (&seccomp.Policy{DefaultAction: seccomp.ActionAllow, Syscalls: []seccomp.SyscallGroup{refuse}}).Assemble()
	return [][]bpf.Instruction{first, second}, err
}

// known are the names of a list that this architecture has.
func known(info *arch.Info, list string) []string {
	var names []string
	for name := range strings.FieldsSeq(list) {
		if _, ok := info.SyscallNames[name]; ok {
			names = append(names, name)
		}
	}
	return names
}

func when(name string, arg uint32, op seccomp.Operation, value uint64) seccomp.NameWithConditions {
	return seccomp.NameWithConditions{Name: name, Conditions: seccomp.ArgumentConditions{{Argument: arg, Operation: op, Value: value}}}
}

// filterSyscalls bounds the system calls of the calling thread and of what it
// starts. It returns what [Facts.Seccomp] says: without a filter the namespaces hold
// a step none the less, so that a kernel that has none is no error.
func filterSyscalls() (string, error) {
	filters, err := callFilters()
	if err != nil {
		return "none: " + err.Error(), nil
	}
	for _, f := range filters {
		raw, err := bpf.Assemble(f)
		if err != nil {
			return "", fmt.Errorf("cannot assemble the filter of system calls: %w", err)
		}
		program := unix.SockFprog{Len: uint16(len(raw)), Filter: (*unix.SockFilter)(unsafe.Pointer(&raw[0]))}
		_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&program)))
		if errno == unix.ENOSYS || errno == unix.EINVAL {
			return "none: the kernel has no CONFIG_SECCOMP_FILTER", nil
		}
		if errno != 0 {
			return "", fmt.Errorf("cannot filter system calls: %w", errno)
		}
	}
	return "filter", nil
}
