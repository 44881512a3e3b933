"""A real PostgreSQL for the session and a database of its own for each test."""
