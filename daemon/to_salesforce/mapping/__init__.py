"""m3ter entities as Salesforce records, their digests and marks; pure."""
