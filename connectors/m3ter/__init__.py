"""m3ter: OAuth and the Config API."""
