"""Which Salesforce field feeds which m3ter field: documents in, SOQL and m3ter bodies out; pure."""
