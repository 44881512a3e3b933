"""The options of an entity data sync: those of `integrations add` and `edit`, and those of `run`."""

from enum import StrEnum
from typing import Annotated

import typer

from daemon.cli import entity_settings
from daemon.cli.entity_settings import Given
from state.entity_models import EntityType, Namespace, Removal

Entity = Annotated[
    EntityType | None,
    typer.Option(help="The m3ter entities to keep in Salesforce.", case_sensitive=False),
]
InNamespace = Annotated[
    Namespace | None,
    typer.Option(help="Where in the Salesforce org they go.", case_sensitive=False, show_default=False),
]
AccountIds = Annotated[
    list[str] | None,
    typer.Option("--account-id", metavar="ID", help="Only these m3ter accounts (repeat it); else all."),
]
RestrictedIds = Annotated[
    list[str] | None,
    typer.Option("--restricted-account-id", metavar="ID", help="Never these m3ter accounts (repeat it)."),
]
Notify = Annotated[
    list[str] | None,
    typer.Option(metavar="WHO", help="E-mail address or user id, kept and shown; no mail is sent yet."),
]
CustomFields = Annotated[
    list[str] | None,
    typer.Option("--custom-field", metavar="M3TER=FIELD", help="Where a custom field goes (repeat it)."),
]
ScheduleText = Annotated[
    str | None,
    typer.Option("--schedule", metavar="WHEN", help='A cron expression (UTC) or "every 10m"; else hourly.'),
]
OnDeletion = Annotated[
    Removal | None, typer.Option(help="What becomes of the copy of an entity deleted in m3ter.")
]
OnLeaving = Annotated[
    Removal | None, typer.Option(help="What becomes of a copy whose account is not allowed any more.")
]


class Clearable(StrEnum):
    """The lists that can be emptied again."""

    ACCOUNT_IDS = "account-ids"
    RESTRICTED_ACCOUNT_IDS = "restricted-account-ids"
    NOTIFY = "notify"
    CUSTOM_FIELDS = "custom-fields"


Clear = Annotated[list[Clearable] | None, typer.Option(help="Empty one of its lists (repeat it).")]

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would change in Salesforce, and write nothing.")
]
Restore = Annotated[
    bool,
    typer.Option("--restore", help="Write anew what was edited or deleted in Salesforce by other hands."),
]
Limit = Annotated[int, typer.Option(min=1, max=1_000_000, help="How many records a dry run shows at most.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Ask for the run and end.")]


def given(
    entity_type: EntityType | None,
    namespace: Namespace | None,
    lists: tuple[list[str] | None, list[str] | None, list[str] | None, list[str] | None],
    schedule: str | None,
    removals: tuple[Removal | None, Removal | None],
) -> Given:
    """`lists`: account ids, restricted ones, whom to notify, custom fields; `removals`: deletion, leaving.

    An option that was not given is not said. Raises CommandFailed.
    """
    account_ids, restricted_ids, notify, custom_fields = lists
    return Given(
        entity_type=entity_type,
        namespace=namespace,
        account_ids=account_ids or None,
        restricted_account_ids=restricted_ids or None,
        notification_users=notify or None,
        custom_fields=entity_settings.pairs(custom_fields) if custom_fields else None,
        schedule=schedule,
        on_deletion=removals[0],
        on_leaving=removals[1],
    )
