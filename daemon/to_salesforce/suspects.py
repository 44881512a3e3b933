"""A call that Salesforce refuses as a whole: which of its records are to blame, or whether all fare alike."""

from collections.abc import Sequence

from connectors.errors import RejectedError
from state.entity_models import Waiting

Part = Sequence[Waiting]


class Suspects:
    """What is left of the call to be sent again, and who was refused alone and is not blamed yet.

    Nobody is while nothing at all is taken, but in Salesforce's same words refused. So after the first of
    them and what comes next, two more are tried alone, from elsewhere in the call.
    """

    def __init__(self) -> None:
        self._doubtful: list[tuple[Waiting, RejectedError]] = []
        self._left: list[Part] = []
        self._probes: int | None = None

    def next(self) -> Part | None:
        """What is to be sent now; None at the end."""
        return self._left.pop(0) if self._left else None

    def halve(self, part: Part) -> None:
        """It failed: its halves are next."""
        middle = len(part) // 2
        self._left[:0] = [part[:middle], part[middle:]]

    def doubt(self, part: Part, error: RejectedError) -> bool:
        """It was refused, and nothing was taken before; False when it is plain that all fare alike."""
        is_first = not self._doubtful
        if len(part) == 1:
            self._doubtful.append((part[0], error))
        else:
            self.halve(part)
        if is_first:
            return True
        if self._probes is None:
            self._probes = self._spread()
        self._probes -= 1
        return self._probes >= 0

    def differs(self, answer: object) -> bool:
        """Whether another answer than those in doubt had: Salesforce tells records apart."""
        said = {(each.status, each.code) for _, each in self._doubtful}
        is_alike = isinstance(answer, RejectedError) and (answer.status, answer.code) in said
        return bool(said) and not is_alike

    def blamed(self) -> list[tuple[Waiting, RejectedError]]:
        """Those in doubt, who are so no more."""
        blamed, self._doubtful = self._doubtful, []
        return blamed

    def _spread(self) -> int:
        """The last of all and the first of its part are next, each alone; how many these are."""
        if not self._left:
            return 0
        first, *others = self._left.pop()
        between, last = others[:-1], others[-1:]
        probes = [part for part in (last, [first]) if part]
        self._left = [*probes, *self._left, *([between] if between else [])]
        return len(probes)
