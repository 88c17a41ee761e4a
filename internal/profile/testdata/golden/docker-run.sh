#!/bin/sh
# Beside seccomp.json. With AppArmor, load apparmor.profile and add --security-opt=apparmor=hardpan-web-service. ENGINE=podman runs it in podman.
# Unknown: the image has no record of a build by hardpan: what follows is what its config says
dir=$(cd -- "$(dirname -- "$0")" && pwd) || exit
exec "${ENGINE:-docker}" run --rm \
  --read-only \
  --cap-drop=ALL \
  --security-opt=no-new-privileges \
  --security-opt=seccomp="$dir/seccomp.json" \
  --user=1000:1001 \
  --tmpfs=/app/data:rw,noexec,nosuid,nodev,uid=1000,gid=1001,mode=0700 \
  --tmpfs=/tmp:rw,noexec,nosuid,nodev,uid=1000,gid=1001,mode=0700 \
  --pids-limit=64 \
  --memory=268435456b \
  --memory-swap=268435456b \
  --cpus=0.5 \
  --ipc=private \
  --publish=53:53/udp \
  --publish=8000:8000/tcp \
  ${OPTIONS:-} \
  registry.example.com/web-service:1.2 "$@"
