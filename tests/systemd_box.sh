#!/bin/bash
# systemd_box.sh CMD...: runs CMD beside a real systemd that is PID 1 of namespaces of its own. Needs root.
# Private and thrown away: /tmp /var/tmp /run, and overlays over /etc and /var. KEEP names directories, parted
# by colons, that shall be seen even if they lie under these. Exit code 75: no systemd could be booted here.
set -eu
work=$(mktemp -d)
systemd=
trap 'if [ -n "$systemd" ]; then kill -9 "$systemd" 2>/dev/null || :; fi; if [ -n "${outer:-}" ]; then kill "$outer" 2>/dev/null || :; wait "$outer" 2>/dev/null || :; fi; rm -rf "$work"' EXIT
trap 'exit 143' TERM INT
cat > "$work/init" <<'END'
set -e
mount --make-rprivate /
IFS=: read -ra kept <<< "$KEEP"
mount -t tmpfs tmpfs /mnt
for number in "${!kept[@]}"; do mkdir "/mnt/$number"; mount --bind "${kept[$number]}" "/mnt/$number"; done
mkdir -p "$WORK/over"
mount -t tmpfs tmpfs "$WORK/over"
for directory in etc var; do
  mkdir -p "$WORK/over/$directory/upper" "$WORK/over/$directory/work"
  mount -t overlay overlay -o "lowerdir=/$directory,upperdir=$WORK/over/$directory/upper,workdir=$WORK/over/$directory/work" "/$directory"
done
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs -o mode=1777 tmpfs /var/tmp
mount -t tmpfs tmpfs /run
for number in "${!kept[@]}"; do
  if [ ! -e "${kept[$number]}/." ]; then mkdir -p "${kept[$number]}"; mount --bind "/mnt/$number" "${kept[$number]}"; fi
done
mkdir -p /run/systemd/system
for unit in systemd-tmpfiles-setup systemd-tmpfiles-setup-dev systemd-tmpfiles-clean; do
  ln -s /dev/null "/run/systemd/system/$unit.service"
done
mount -t cgroup2 none /sys/fs/cgroup
exec env -i container=box PATH="$PATH" /lib/systemd/systemd --system --unit=basic.target --log-target=journal
END
WORK=$work KEEP=${KEEP:-} unshare --fork --pid --mount --uts --ipc --mount-proc --kill-child bash "$work/init" >"$work/log" 2>&1 </dev/null &
outer=$!
inside() { nsenter -t "$systemd" -m -p -u -i -- "$@"; }
for _ in $(seq 150); do
  systemd=$(pgrep -P "$outer" || :)
  if [ -n "$systemd" ] && inside systemctl is-system-running 2>/dev/null | grep -qE 'running|degraded'; then
    inside "$@" && exit 0 || exit $?
  fi
  kill -0 "$outer" 2>/dev/null || break
  sleep .1
done
echo "No systemd could be booted here:" >&2
cat "$work/log" >&2
exit 75
