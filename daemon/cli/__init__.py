"""The command line, one module for each group of commands."""

from daemon.cli.program import main as main
