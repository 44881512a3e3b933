"""The flow from m3ter to Salesforce: poller, mapping, writer."""
