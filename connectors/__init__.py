"""The outside world: Salesforce and m3ter, and the sandbox that stands in for them."""
