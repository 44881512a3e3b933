"""`python -m connectors.sandbox`: serve both systems, print where they are, stay up until told to stop."""

import argparse
import asyncio
import contextlib
import signal
import sys

from connectors.sandbox import serving


def parsed(arguments: list[str]) -> serving.Options:
    """The options of the command line; wrong usage leaves with exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m connectors.sandbox", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object (it is printed so in any case)")
    parser.add_argument("--salesforce-port", type=int, default=0, metavar="N")
    parser.add_argument("--m3ter-port", type=int, default=0, metavar="N")
    filling = parser.add_mutually_exclusive_group()
    filling.add_argument("--empty", action="store_true", help="no demo company")
    filling.add_argument("--scale", type=int, metavar="N", help="a company with N accounts")
    given = parser.parse_args(arguments)
    if given.scale is not None and given.scale < 1:
        parser.error("--scale takes a number from 1 on")
    return serving.Options(given.salesforce_port, given.m3ter_port, given.empty, given.scale)


async def run(options: serving.Options) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serving.serve(options) as running:
        sys.stdout.write(running.as_json() + "\n")
        sys.stdout.flush()
        await stop.wait()


def main() -> int:
    """The command."""
    options = parsed(sys.argv[1:])
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(run(options))
    except OSError as error:
        sys.stderr.write(f"The sandbox cannot listen: {error}. Choose another port, or leave it out.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
