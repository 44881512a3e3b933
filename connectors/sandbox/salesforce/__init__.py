"""Salesforce emulated: objects as data, SOQL, the REST resources and OAuth, as documented."""
