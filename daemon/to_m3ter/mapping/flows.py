"""What kind of value comes out of a mapped field, worked out without any record."""

from dataclasses import dataclass, replace

from daemon.to_m3ter.mapping import conversions, transforms


@dataclass(frozen=True, slots=True)
class Flow:
    """A value on its way: its JSON kinds, greatest length (0: unknown), if it can be empty."""

    kinds: frozenset[str]
    length: int = 0
    may_be_empty: bool = True


def through(steps: tuple[transforms.Step, ...], flow: Flow) -> Flow | str:
    """The flow behind the transforms, or what is wrong with one of them."""
    for step in steps:
        transform = step.transform
        if transform.name == "default":
            if flow.may_be_empty:
                kinds = flow.kinds | {text_kind(step.argument)}
                longest = max(flow.length, len(step.argument)) if flow.length else 0
                flow = Flow(kinds, longest, may_be_empty=False)
            continue
        refused = flow.kinds - transform.accepts - ({"integer"} if "number" in transform.accepts else set())
        refused -= {"any"}
        if refused:
            return f"the transform {step.text!r} cannot take a {' or '.join(sorted(refused))}"
        flow = replace(
            flow,
            kinds=flow.kinds if transform.gives == "same" else frozenset({transform.gives}),
            length=_length(step, flow.length),
            may_be_empty=flow.may_be_empty or transform.name.endswith("_line"),
        )
    return flow


def text_kind(text: str) -> str:
    """A text that reads as a date or date-time may stand where one is wanted."""
    if conversions.DATE.fullmatch(text):
        return "date"
    return "date-time" if conversions.DATE_TIME.fullmatch(text) else "text"


def _length(step: transforms.Step, length: int) -> int:
    match step.transform.name:
        case "truncate":
            return min(length or int(step.argument), int(step.argument))
        case "prefix" | "suffix":
            return length + len(step.argument) if length else 0
        case "currency_code":
            return 3
        case "replace":
            old, _, new = step.argument.partition("=>")
            return length if len(new) <= len(old) else 0
        case _:
            return length
