"""The service: two flows, one supervisor, one panel."""
