"""`sync --initial`, `--instant` and `--since`: writes down what is to be read, and follows the daemon."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from connectors.errors import SyncError
from daemon import app
from daemon.cli import following, headway, moments, presence, printing, session
from daemon.cli.following import Totals
from daemon.cli.session import FAILED, INTERRUPTED, WRONG_USAGE, CommandFailed, Session
from daemon.cli.watching import Ended, Watcher
from daemon.to_m3ter import wishes
from daemon.to_m3ter.wishes import Asked, Refused, Wish
from daemon.web import wording
from state import health, reread_progress
from state.reread_progress import Progress
from state.rereads import RereadCause

_START = f"{presence.START} It takes up what was asked for."
_GOES_ON = "The service goes on with it; `m3sync status` shows how far it is."


@dataclass(frozen=True, slots=True)
class Span:
    """What was given on the command line."""

    initial: bool = False
    instant: bool = False
    since: str | None = None
    object_name: str | None = None

    @property
    def ways(self) -> list[str]:
        """The options given of which only one may be."""
        given = {"--initial": self.initial, "--instant": self.instant, "--since": self.since is not None}
        return [name for name, is_given in given.items() if is_given]

    def wish(self, integration: str | None) -> Wish:
        """Raises CommandFailed for a time that is none."""
        if self.initial:
            return Wish(RereadCause.INITIAL, integration=integration)
        if self.instant:
            return Wish(RereadCause.INSTANT, integration=integration)
        try:
            at = moments.since(self.since or "", datetime.now(UTC))
        except ValueError as error:
            raise CommandFailed(f"--since: {error}", moments.FORMS, exit_code=WRONG_USAGE) from None
        return Wish(RereadCause.BY_HAND, at, self.object_name, integration)


async def resync(span: Span, integration: str | None, *, waits: bool, as_json: bool) -> int | None:
    """The exit code: 0 when all was read and synced, or when nobody wants to wait for it."""
    wish = span.wish(integration)
    async with session.opened() as opened:
        asked = await _asked(opened, wish)
        if not as_json:
            _announce(asked, await reread_progress.of(opened.db, asked.ids))
        if not waits:
            if as_json:
                _document(await reread_progress.of(opened.db, asked.ids))
            else:
                absent = presence.is_absent(await health.all(opened.db), presence.fresh(opened.settings))
                printing.line(f"No m3sync service is running. {_START}" if absent else _GOES_ON)
            return None
        view = headway.view("Syncing", is_silent=as_json)
        watcher = Watcher(opened.db, view, presence.fresh(opened.settings))
        ended, windows = await following.follow(watcher, asked.ids)
    if as_json:
        _document(windows)
    return _conclude(ended, windows, as_json=as_json)


async def _asked(opened: Session, wish: Wish) -> Asked:
    try:
        async with app.links_of(opened.settings, opened.db) as links:
            return await wishes.open_windows(opened.db, links, wish, opened.settings.reread.overlap)
    except Refused as refused:
        code = WRONG_USAGE if refused.is_usage else FAILED
        raise CommandFailed(refused.reason, refused.instruction, exit_code=code) from None
    except SyncError as error:
        raise CommandFailed(
            error.message, f"{error.instruction} Nothing was begun; give the command again then.".strip()
        ) from None


def _announce(asked: Asked, windows: Sequence[Progress]) -> None:
    if asked.joined:
        printing.line("It was asked for before and is not finished: this follows it.")
    for each in windows:
        since = "everything" if each.from_at is None else f"changes since {wording.shown(each.from_at)} UTC"
        printing.line(f"{each.integration_name}: {each.object_name}, {since}")


def _conclude(ended: Ended, windows: Sequence[Progress], *, as_json: bool) -> int | None:
    now = following.totals(windows)
    if ended is Ended.INTERRUPTED:
        if not as_json:
            printing.line(f"{_so_far(now)}. {_GOES_ON}")
        return INTERRUPTED
    if ended is Ended.ABANDONED:
        raise CommandFailed(f"Nothing works on it: no m3sync service is running. {_so_far(now)}.", _START)
    if not as_json:
        _report(now)
    return FAILED if now.set_aside or now.postponed else None


def _so_far(now: Totals) -> str:
    text = f"{following.reading(now)}, {following.syncing(now)}"
    return text[:1].upper() + text[1:]


def _report(now: Totals) -> None:
    printing.facts(
        {
            "Read": f"{now.read:,} records",
            "To be synced": f"{now.put:,}",
            "Synced": f"{now.synced:,}",
            "Differed": f"{now.differences:,} (something was written, or failed)",
            "Set aside": f"{now.set_aside:,}",
            **({"Tried again later": f"{now.postponed:,}"} if now.postponed else {}),
        },
        indent=0,
    )
    if now.set_aside or now.postponed:
        printing.line("What failed, and why: `m3sync runs --failed`.", "yellow")


def _document(windows: Sequence[Progress]) -> None:
    printing.document({"rereads": [_as_document(each) for each in windows]})


def _as_document(each: Progress) -> dict[str, object]:
    return {
        "reread_id": each.reread_id,
        "integration": each.integration_name,
        "object": each.object_name,
        "cause": each.cause.value,
        "since": each.from_at,
        "until": each.until_at,
        "status": each.status.value,
        "total": each.total,
        "read": each.records_read,
        "put": each.records_put,
        "synced": each.synced,
        "waiting": each.waiting,
        "postponed": each.postponed,
        "set_aside": each.set_aside,
        "differed": each.differences,
        "error": each.error,
    }
