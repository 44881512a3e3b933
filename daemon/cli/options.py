"""What several commands take, and a group that is called by itself."""

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]


def is_alone(context: typer.Context) -> bool:
    """Whether a group was called without one of its commands, and so lists.

    Raises typer.BadParameter for an option in front of a command, where it would be ignored.
    """
    if context.invoked_subcommand is None:
        return True
    for name in context.params:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise typer.BadParameter(f"Options belong behind {context.invoked_subcommand!r}.")
    return False
