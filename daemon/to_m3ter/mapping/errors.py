"""What can be wrong with a field mapping: the document itself, or a value it produced."""

from connectors import errors


class MappingInvalid(Exception):  # noqa: N818 - reads as what it says
    """A field mapping document cannot be used: `where` is the key, `instruction` says how to mend it."""

    def __init__(self, message: str, *, where: str = "", instruction: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.instruction = instruction

    @property
    def reason(self) -> str:
        """What is wrong, behind its place where that is known."""
        return f"{self.where}: {self.message}" if self.where else self.message

    def __str__(self) -> str:
        return f"{self.reason} {self.instruction}".rstrip()


class MappingValueError(errors.RejectedError):
    """A record's value does not fit its m3ter field; it was not sent."""
