"""Salesforce: OAuth, REST and the CometD change stream."""
