"""Fixtures for every test: a database per test, the sandbox as real servers, an emulated m3ter alone."""

pytest_plugins = ["tests.databases", "tests.m3ter_calls", "tests.sandboxes"]
