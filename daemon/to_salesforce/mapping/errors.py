"""What can be wrong with an entity's values: they do not fit their Salesforce fields."""

from collections.abc import Sequence

from connectors import errors


class ValueUnfit(Exception):  # noqa: N818 - reads as what it says
    """One value does not fit its field; the message says why, with the value shortened."""


class RecordUnfit(errors.RejectedError):
    """An entity cannot be written as it is: `fields` are the Salesforce fields, `code` is M3SYNC_UNFIT."""

    def __init__(self, entity: str, problems: Sequence[tuple[str, str]]) -> None:
        said = " ".join(f"{name}: {problem}" for name, problem in problems)
        super().__init__(
            f"{entity} does not fit Salesforce. {said}",
            instruction="Mend the value in m3ter; or give the field another name or none in the settings.",
            code="M3SYNC_UNFIT",
        )
        self.fields = tuple(name for name, _ in problems)
