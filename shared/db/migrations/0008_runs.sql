-- Bulk runs that go on by themselves: a time to undo, a ramp, a snapshot of the records, what became of each; and records
-- that a person ignores.

-- What was stored so far was done in the request: it is over.
ALTER TABLE bulk_runs ADD state text NOT NULL DEFAULT 'done'
    CHECK (state IN ('undo-window', 'running', 'paused', 'done', 'cancelled', 'stopped'));
ALTER TABLE bulk_runs ALTER matched DROP NOT NULL;            -- null until the snapshot is taken
ALTER TABLE bulk_runs ADD token uuid;                         -- of the form: sent twice it is the same wish
ALTER TABLE bulk_runs ADD why text;
ALTER TABLE bulk_runs ADD leaves text[] NOT NULL DEFAULT '{}';-- kinds of records that are left alone
ALTER TABLE bulk_runs ADD begins_at timestamptz;              -- until then it can be undone
ALTER TABLE bulk_runs ADD due_at timestamptz;                 -- when a runner looks at it again; null once it is over
ALTER TABLE bulk_runs ADD ramp boolean NOT NULL DEFAULT false;
ALTER TABLE bulk_runs ADD per_minute integer CHECK (per_minute > 0);
ALTER TABLE bulk_runs ADD step smallint NOT NULL DEFAULT 0;   -- of the ramp
ALTER TABLE bulk_runs ADD step_at timestamptz;                -- when this step was begun
ALTER TABLE bulk_runs ADD position bigint NOT NULL DEFAULT 0; -- the last record that had its turn
ALTER TABLE bulk_runs ADD set_due integer NOT NULL DEFAULT 0;
ALTER TABLE bulk_runs ADD left_alone integer NOT NULL DEFAULT 0;
ALTER TABLE bulk_runs ADD succeeded integer NOT NULL DEFAULT 0;
ALTER TABLE bulk_runs ADD failed integer NOT NULL DEFAULT 0;  -- failed again, or wait again
ALTER TABLE bulk_runs ADD step_settled integer NOT NULL DEFAULT 0;
ALTER TABLE bulk_runs ADD step_failed integer NOT NULL DEFAULT 0;
ALTER TABLE bulk_runs ADD code text;                          -- why it was stopped or pauses
ALTER TABLE bulk_runs ADD ended_by text;                      -- who cancelled it
UPDATE bulk_runs SET set_due = cardinality(done),
    left_alone = (SELECT count(*) FROM jsonb_object_keys(skipped));
CREATE UNIQUE INDEX bulk_runs_token ON bulk_runs (token) WHERE token IS NOT NULL;
CREATE INDEX bulk_runs_due ON bulk_runs (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX bulk_runs_newest ON bulk_runs (created_at DESC, id);

-- The records of a run, as they were when they were chosen. seq: the number of the last transition then, and, once the
-- record was set due, of that one.
CREATE TABLE bulk_items (
    run        uuid NOT NULL REFERENCES bulk_runs ON DELETE CASCADE,
    record_id  bigint NOT NULL,
    seq        integer NOT NULL,
    payload_no integer NOT NULL,
    step       smallint,
    state      text NOT NULL DEFAULT 'chosen'
        CHECK (state IN ('chosen', 'due', 'left', 'succeeded', 'failed')),
    code       text,                                          -- why it was left alone, or failed again
    PRIMARY KEY (run, record_id)
);
CREATE INDEX bulk_items_open ON bulk_items (run) WHERE state = 'due';
CREATE INDEX bulk_items_told ON bulk_items (run, state, record_id) WHERE state IN ('failed', 'left');
INSERT INTO bulk_items(run, record_id, seq, payload_no, state)
    SELECT id, unnest(done), 0, 0, 'succeeded' FROM bulk_runs ON CONFLICT DO NOTHING;
INSERT INTO bulk_items(run, record_id, seq, payload_no, state, code)
    SELECT b.id, s.key::bigint, 0, 0, 'left',
           CASE s.value WHEN 'is not known' THEN 'unknown' WHEN 'has nothing to send yet' THEN 'nothing-to-send'
                        ELSE 'on-its-way' END
    FROM bulk_runs b, jsonb_each_text(b.skipped) s ON CONFLICT DO NOTHING;
ALTER TABLE bulk_runs DROP COLUMN done, DROP COLUMN skipped;

-- What a record was before a person ignored it; it counts while the record is skipped with the code `ignored`.
CREATE TABLE ignored (
    record_id bigint PRIMARY KEY,
    state     text NOT NULL,
    code      text,
    reason    jsonb,
    due_at    timestamptz,
    actor     text NOT NULL,
    why       text NOT NULL,
    at        timestamptz NOT NULL DEFAULT now()
);

-- What Connect has already is read again from where it comes from, and staged if it has changed there.
ALTER TABLE receipts ADD again boolean NOT NULL DEFAULT false;
