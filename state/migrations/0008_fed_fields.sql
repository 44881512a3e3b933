-- What an org describes of the fields that custom fields feed, so that it need not be asked with every run.

CREATE TABLE fed_fields (
    integration_id uuid PRIMARY KEY REFERENCES integrations ON DELETE CASCADE,
    described_for text NOT NULL,                   -- whose fields they are: others are to be described anew
    fields text NOT NULL,                          -- JSON
    described_at timestamptz NOT NULL DEFAULT now()
);
