"""m3ter emulated: an organization in memory and the HTTP API that serves it."""
