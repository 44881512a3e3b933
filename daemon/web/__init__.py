"""Health, metrics, JSON API and panel over HTTP."""
