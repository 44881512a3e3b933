"""From a Salesforce change to m3ter: subscriber, inbox, worker, sync, mapping."""
