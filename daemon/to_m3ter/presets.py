"""The field mappings that m3sync ships: presets/*.toml, by name."""

from importlib import resources

from daemon.to_m3ter.mapping import errors

DIRECTORY = "presets"


def names() -> list[str]:
    """The presets there are, in alphabetical order."""
    files = resources.files("daemon.to_m3ter").joinpath(DIRECTORY).iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def text(name: str) -> str:
    """The document of a preset. Raises MappingInvalid when there is none of this name."""
    if name not in names():
        message = f"There is no preset {name!r}."
        raise errors.MappingInvalid(message, instruction=f"The presets are: {', '.join(names())}.")
    return resources.files("daemon.to_m3ter").joinpath(DIRECTORY, f"{name}.toml").read_text("utf-8")
