"""Fixtures for every test: a database per test, and the sandbox as real servers."""

pytest_plugins = ["tests.databases", "tests.sandboxes"]
