"""Settings of an entity data sync as a person gives them, by options or in a file: checked, laid over."""

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daemon import settings as configuration
from daemon.cli.session import WRONG_USAGE, CommandFailed, config_file
from daemon.to_salesforce import custom_fields, schedule
from daemon.to_salesforce.schedule import ScheduleInvalid
from daemon.to_salesforce.targets import Naming, NoSuchTarget
from daemon.web import wording
from state.entity_models import EntitySyncSettings, EntityType, Namespace, Removal

# What Salesforce allows, with the ending of a custom field and the prefix of a package.
_FIELD = re.compile(r"([A-Za-z]\w{0,14}?__)?[A-Za-z](_?[A-Za-z0-9]){0,79}(__[a-z]{1,3})?", re.ASCII)
_MAIL = re.compile(r"[^\s@\"<>]{1,64}@[^\s@\"<>]{1,190}")
MOST = 10_000  # ids in one list; more make every list of m3ter's a check of its own
_LONGEST_SCHEDULE = 200
_FORMS = "Every moment is in UTC; `0 * * * *` is at the start of each hour."
_OTHER_FIELD = "Map custom fields of m3ter's to fields of your own: --custom-field tier=Tier__c"
MOST_FIELDS = 100  # custom fields that one entity of m3ter's may have


@dataclass(frozen=True, slots=True)
class Given:
    """What was said; None is not said, so that it stays as it is."""

    entity_type: EntityType | None = None
    namespace: Namespace | None = None
    account_ids: Sequence[str] | None = None
    restricted_account_ids: Sequence[str] | None = None
    notification_users: Sequence[str] | None = None
    custom_fields: Mapping[str, str] | None = None
    schedule: str | None = None
    on_deletion: Removal | None = None
    on_leaving: Removal | None = None

    def said(self) -> dict[str, Any]:
        """The fields that were said."""
        pairs = ((each.name, getattr(self, each.name)) for each in dataclasses.fields(self))
        return {name: value for name, value in pairs if value is not None}


def laid_over(given: Given, settings: EntitySyncSettings) -> EntitySyncSettings:
    """The settings with what was said in their place. Raises CommandFailed for what cannot be, also by the
    names that the settings file gives to objects and fields."""
    said = given.said()
    for name in ("account_ids", "restricted_account_ids"):
        if name in said:
            said[name] = _ids(name, said[name])
    if "notification_users" in said:
        said["notification_users"] = _users(said["notification_users"])
    if "custom_fields" in said:
        said["custom_fields"] = _fields(said["custom_fields"])
    if "schedule" in said:
        said["schedule"] = _schedule(said["schedule"])
    wanted = dataclasses.replace(settings, **said)
    if wanted.custom_fields and {"custom_fields", "namespace"} & set(said):
        _check_fields(wanted)
    return wanted


def pairs(given: Iterable[str]) -> dict[str, str]:
    """`m3ter=Salesforce` each. Raises CommandFailed."""
    found: dict[str, str] = {}
    for each in given:
        # A custom field of m3ter's may have the sign in its name, a field of Salesforce's cannot.
        name, sign, field = each.rpartition("=")
        if not sign or not name.strip() or not field.strip():
            raise wrong(
                f"The custom field {_quoted(each)} does not say what goes where.",
                "Write the m3ter custom field, =, and the Salesforce field: --custom-field tier=Tier__c",
            )
        if name.strip() in found:
            raise wrong(f"The custom field {_quoted(name)} is mapped twice.", "Give it once.")
        found[name.strip()] = field.strip()
    return found


def excludes_all(settings: EntitySyncSettings) -> bool:
    """Whether what is restricted leaves nothing of what is allowed."""
    return bool(settings.account_ids) and set(settings.account_ids) <= set(settings.restricted_account_ids)


def wrong(reason: str, instruction: str) -> CommandFailed:
    return CommandFailed(reason, instruction, exit_code=WRONG_USAGE)


def _ids(name: str, given: Sequence[str]) -> tuple[str, ...]:
    ids = tuple(dict.fromkeys(each.strip().lower() for each in given))
    if len(ids) > MOST:
        raise wrong(f"There are {len(ids):,} {_worded(name)}, more than {MOST:,}.", "Name fewer, or none.")
    for each in ids:
        if not wording.is_m3ter_id(each):
            raise wrong(
                f"{_quoted(each)} is no id of a m3ter account.",
                "m3ter shows it with the account: it looks like 2f1b6d7e-90a4-4c0e-8f3a-5d2c7b1e9a60.",
            )
    return ids


def _worded(name: str) -> str:
    return name.replace("_", " ")


def _users(given: Sequence[str]) -> tuple[str, ...]:
    users = tuple(dict.fromkeys(each.strip() for each in given))
    for each in users:
        if not _MAIL.fullmatch(each) and not wording.is_m3ter_id(each):
            raise wrong(
                f"{_quoted(each)} is neither an e-mail address nor the id of a m3ter user.",
                "Write it as person@example.com, or as the id that m3ter shows for the user.",
            )
    return users


def _fields(given: Mapping[str, str]) -> dict[str, str]:
    if len(given) > MOST_FIELDS:
        raise wrong(
            f"{len(given)} custom fields are mapped; an entity of m3ter's has {MOST_FIELDS} at most.",
            "Map those that you need in Salesforce.",
        )
    for name, field in given.items():
        if not name.strip() or len(name) > 255 or not name.isprintable():
            raise wrong(
                f"{_quoted(name)} cannot be the name of a custom field.", "Write it as it is in m3ter."
            )
        if not _FIELD.fullmatch(field):
            raise wrong(
                f"{_quoted(field)} is not the name of a Salesforce field.",
                "Write its API name, as Setup shows it: Tier__c, or Region",
            )
    twice = [field for field, count in Counter(each.lower() for each in given.values()).items() if count > 1]
    if twice:
        sources = [name for name, field in given.items() if field.lower() == twice[0]]
        raise wrong(
            f"Two custom fields are mapped to {given[sources[0]]}: {_quoted(sources[0])} and "
            f"{_quoted(sources[1])}.",
            "A Salesforce field holds one of them: leave the other out.",
        )
    return dict(given)


def _check_fields(settings: EntitySyncSettings) -> None:
    """Nothing that is kept in Salesforce by others is overwritten."""
    naming = configuration.load(config_file.get()).entity_data_sync
    try:
        problems = custom_fields.of(settings, Naming(naming.testing_prefix, naming.names))
    except NoSuchTarget as error:
        raise wrong(str(error), "Correct [entity_data_sync] in the settings file.") from None
    if problems:
        more = f" And {len(problems) - 1} more." if len(problems) > 1 else ""
        raise wrong(f"{problems[0]}{more}", _OTHER_FIELD)


def _schedule(given: str) -> str:
    if len(given) > _LONGEST_SCHEDULE:
        raise wrong(f"The schedule {_quoted(given)} is too long.", _FORMS)
    try:
        return schedule.parse(given).text
    except ScheduleInvalid as error:
        raise wrong(str(error), _FORMS) from None


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:60]}…")
