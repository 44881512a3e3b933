-- A look-up of known records has a cause of its own: nothing that changed is read again with it.

ALTER TABLE rereads DROP CONSTRAINT rereads_cause_check,
    ADD CONSTRAINT rereads_cause_check CHECK (cause IN ('first start', 'replay refused', 'overflow', 'gap',
        'undecodable', 'silent', 'look-up', 'initial', 'instant', 'by hand'));
