"""For every test: a database of its own, the sandbox as real servers, an emulated m3ter alone, its turn."""

pytest_plugins = ["tests.databases", "tests.m3ter_calls", "tests.sandboxes", "tests.turns"]
