"""Everything kept in PostgreSQL; the only SQL."""
