# AppArmor profile: apparmor_parser -r -W FILE loads it.
# Unknown: the image has no record of a build by hardpan: what follows is what its config says
profile hardpan-web-service flags=(attach_disconnected,mediate_deleted) {
  network inet stream,
  network inet dgram,
  network inet6 stream,
  network inet6 dgram,
  network unix,
  network netlink raw,  # asks for the addresses of the machine
  signal (send, receive) peer=hardpan-web-service,
  signal (receive) peer=unconfined,
  signal (receive) peer=runc,
  signal (receive) peer=crun,

  / r,
  /** r,
  "/usr/bin/*" mr,
  "/usr/bin/script" mrix,
  "/usr/bin/service-1.0" mrix,

  "/app/data/" rw,
  "/app/data/**" rwkl,
  "/tmp/" rw,
  "/tmp/**" rwkl,
  /dev/null rwk,
  /dev/zero rwk,
  /dev/full rwk,
  /dev/tty rwk,
  /dev/ptmx rwk,
  /dev/pts/* rwk,
  /dev/shm/** rwk,
  /proc/[0-9]*/fd/* rw,
  /proc/[0-9]*/task/[0-9]*/comm rw,
  /proc/[0-9]*/{comm,timerslack_ns,oom_score_adj} rw,

  deny /proc/sys/** wkl,
  deny /sys/** wkl,
  deny /proc/{sysrq-trigger,kcore,kmem,mem} rwkl,
  deny mount,
  deny umount,
  deny pivot_root,
}
