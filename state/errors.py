"""What can go wrong inside PostgreSQL, each with a reason and what a person can do about it."""


class StateError(Exception):
    """A failure of the record keeping: `reason` says what happened, `instruction` what to do about it."""

    def __init__(self, reason: str, instruction: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.instruction = instruction

    def __str__(self) -> str:
        return f"{self.reason} {self.instruction}".rstrip()


class DatabaseUnavailable(StateError):  # noqa: N818 - reads as what happened
    """PostgreSQL cannot be used just now; nothing of the interrupted transaction was kept."""


class SchemaNewer(StateError):  # noqa: N818 - reads as what happened
    """The database was written by a newer m3sync than this one."""


class SchemaInvalid(StateError):  # noqa: N818 - reads as what happened
    """The database's history of migrations is not the one this m3sync knows, or a migration failed."""


class NotFound(StateError):  # noqa: N818 - reads as what happened
    """There is no row of that name or id."""


class Conflict(StateError):  # noqa: N818 - reads as what happened
    """The row is in a state that forbids the change, or its name is taken."""


class NameUnusable(StateError):  # noqa: N818 - reads as what happened
    """Nothing can be called that."""


class LeaseLost(StateError):  # noqa: N818 - reads as what happened
    """Another holder owns the record by now: stop writing at once and forget this attempt."""


class VaultError(StateError):
    """A secret cannot be sealed or opened: the key is missing, unreadable, malformed, or another one."""
