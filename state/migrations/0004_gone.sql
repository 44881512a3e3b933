-- What a look-up of known records need not ask for: those of another org, and those known to be gone.

ALTER TABLE record_states
    ADD org_id text NOT NULL DEFAULT '',           -- in which it was last looked at; '' is not known
    ADD is_gone boolean NOT NULL DEFAULT false;    -- as it was then, with nothing left to do
