"""How many entities to ask m3ter for at once: half when a page is too large, twice when some fitted; pure."""

from dataclasses import dataclass, field

# Pages that fit before the size above is tried again. A failed trial may take minutes, a smaller page costs
# one call more.
_FEWEST = 8


@dataclass(slots=True)
class PageSize:
    """Of one list: `largest`, its half, and so on down to 1.

    A size waits twice as long after each time it was too large, and a page less after each that fitted: one
    that never fits is tried a number of times that grows as the logarithm of the pages, and a heavy entity
    here and there does not make it forgotten.
    """

    largest: int
    _halvings: int = 0
    _fitted: int = 0
    _waits: dict[int, int] = field(default_factory=dict)  # of how many halvings -> pages

    @property
    def now(self) -> int:
        return max(1, self.largest >> self._halvings)

    @property
    def is_wary(self) -> bool:
        """Whether a page was too large, and not so many have fitted since that this is forgotten."""
        return any(wait > _FEWEST for wait in self._waits.values())

    def grow(self) -> None:
        """A page fitted: in time the next ones are larger."""
        self._waits[self._halvings] = max(_FEWEST, self._waits.get(self._halvings, 0) - 1)
        self._fitted += 1
        if self._halvings and self._fitted >= self._waits.get(self._halvings - 1, _FEWEST):
            self._halvings -= 1
            self._fitted = 0

    def shrink(self) -> None:
        """A page of more than one was too large."""
        self._waits[self._halvings] = 2 * self._waits.get(self._halvings, _FEWEST)
        self._halvings += 1
        self._fitted = 0
