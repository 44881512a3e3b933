"""`python -m daemon.cli` is `m3sync`, for child processes which must use this very installation."""

from daemon.cli.program import main

main()
