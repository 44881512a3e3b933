"""Whence the programs of tests are forked: a process that has imported all they need, which costs most."""

import multiprocessing
import pkgutil

import daemon.cli

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    [
        *(
            f"daemon.cli.{name}"
            for _, name, _ in pkgutil.iter_modules(daemon.cli.__path__)
            if name != "__main__"
        ),
        *("tests.acceptance.commands", "tests.acceptance.entity_hurried", "tests.acceptance.world_daemon"),
    ]
)
