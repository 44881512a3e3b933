"""What a credential, an integration or a field mapping may be called: something to read and to type."""

from state.errors import NameUnusable

LONGEST = 100


def check(kind: str, name: str) -> None:
    """Raises NameUnusable for a name that a person could not see, copy or give to a command."""
    if not name.strip():
        reason = f"A{_n(kind)} {kind} needs a name."
    elif len(name) > LONGEST:
        reason = f"The name {name[:40]!r}… has {len(name)} characters, more than {LONGEST}."
    elif not name.isprintable():
        reason = f"The name {name!r} has characters that cannot be seen."
    elif name != name.strip() or name.startswith("-"):
        reason = f"The name {name!r} begins or ends with a space, or begins like an option."
    else:
        return
    raise NameUnusable(reason, f"Choose one of 1 to {LONGEST} letters, digits, spaces and signs.")


def _n(kind: str) -> str:
    return "n" if kind[0] in "aeiou" else ""
