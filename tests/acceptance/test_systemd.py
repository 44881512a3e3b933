"""The unit: well-formed, closed off, and at work under a real systemd."""

import asyncio
import os
import re
import socket
import sys

from tests.acceptance import machine
from tests.acceptance.machine import REPOSITORY

SYSTEMD = REPOSITORY / "systemd"
UNIT = SYSTEMD / "m3sync.service"
HIGHEST_EXPOSURE = 2.0
NOT_BOOTED = 75

# What an operator does, with the interpreter of this test, and what is looked at afterwards.
SCRIPT = r"""
set -eu
cp {unit} /etc/systemd/system/m3sync.service
mkdir -p /etc/systemd/system/m3sync.service.d /etc/sysusers.d /etc/m3sync/bin
printf '#!/bin/sh\nexec {python} -P -m daemon.cli "$@"\n' > /etc/m3sync/bin/m3sync
chmod 755 /etc/m3sync/bin/m3sync
cp {sysusers} /etc/sysusers.d/m3sync.conf
systemd-sysusers
cat > /etc/systemd/system/m3sync.service.d/test.conf <<'END'
[Service]
Environment=PATH=/etc/m3sync/bin:/usr/bin:/bin PYTHONPATH={repository} PYTHONDONTWRITEBYTECODE=1
ProtectHome=tmpfs
BindReadOnlyPaths={seen}
END
# Where kernel or container let no unit read its credentials, the unit is tried without its optional ones.
probe='-p User=m3sync -p LoadCredential=vault.key:m3sync.vault.key'
if ! systemd-run --wait -q $probe sh -c 'test -r "$CREDENTIALS_DIRECTORY"'; then
  echo LoadCredential= >> /etc/systemd/system/m3sync.service.d/test.conf
fi
printf '[http]\nport = {port}\n' > /etc/m3sync/m3sync.toml
systemctl daemon-reload
if ! systemctl start m3sync; then journalctl -u m3sync --no-pager -o cat; exit 1; fi
systemctl show m3sync -p ActiveState -p StatusText -p User
for path in livez readyz; do
  {python} -c 'import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).read().decode())' http://127.0.0.1:{port}/$path
done
systemctl stop m3sync
systemctl show m3sync -p Result -p ExecMainStatus -p ActiveState
journalctl -u m3sync --no-pager -o json --output-fields=PRIORITY,MESSAGE
ls -ld /var/lib/m3sync
"""


async def _ran(*command: str, variables: dict[str, str] | None = None) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **(variables or {})},
    )
    async with asyncio.timeout(180):
        out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


async def test_systemd_has_nothing_to_say_against_the_unit() -> None:
    code, said = await _ran(machine.program("systemd-analyze"), "verify", str(UNIT))
    assert (code, said) == (0, "")


async def test_the_unit_is_closed_off() -> None:
    analyze = machine.program("systemd-analyze")
    code, said = await _ran(analyze, "security", "--no-pager", "--offline=yes", str(UNIT))
    assert code == 0, said
    found = re.search(r"Overall exposure level for m3sync\.service: ([0-9.]+)", said)
    assert found is not None, said
    assert float(found[1]) <= HIGHEST_EXPOSURE, said


async def test_it_starts_works_and_stops_under_a_real_systemd() -> None:
    """With every restriction of the unit, an embedded PostgreSQL of its own, and its own user."""
    if os.geteuid() != 0:
        machine.lacks("root, to boot a systemd of its own", "Run this test as root to see the unit at work.")
    machine.program("systemd-analyze")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    text = SCRIPT.format(
        unit=UNIT,
        sysusers=SYSTEMD / "m3sync.sysusers",
        repository=REPOSITORY,
        seen=" ".join(sorted({str(REPOSITORY), sys.prefix, sys.base_prefix})),
        port=port,
        python=sys.executable,
    )
    code, said = await _ran(
        str(REPOSITORY / "tests" / "systemd_box.sh"),
        *("bash", "-c", text),
        variables={"KEEP": ":".join(sorted({str(REPOSITORY), sys.prefix, sys.base_prefix}))},
    )
    if code == NOT_BOOTED:
        machine.lacks("the right to boot a systemd in namespaces", said)
    assert code == 0, said
    for line in (
        "ActiveState=active",
        "User=m3sync",
        "live",
        "ready",
        "Result=success",
        "ExecMainStatus=0",
        "ActiveState=inactive",
    ):
        assert line in said.splitlines(), f"{line}\n{said}"
    assert "Traceback" not in said
    assert re.search(r"drwx------ \d+ m3sync m3sync .* /var/lib/m3sync", said), said
