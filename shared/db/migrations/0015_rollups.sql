-- What metrics say of records and of what happened to them, kept by one roller behind those who change records (ADR 30).

-- Where the rows of a stretch of time lie. Rows come in the order of their time, so that this index is a few pages, and
-- an insert only has to find that its page's range is known (measured, ADR 30).
CREATE INDEX transitions_at ON transitions USING brin (at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX rejections_received ON rejections USING brin (received_at) WITH (pages_per_range = 32, autosummarize = on);

-- One row: how far it has come. Everything that happened before `rolled` is in the tables below, nothing else is.
CREATE TABLE rollup_watch (
    one       boolean PRIMARY KEY DEFAULT true CHECK (one),
    rolled    timestamptz,                    -- null: nothing yet
    settled   bigint NOT NULL DEFAULT 0,      -- no record with a smaller number is about to appear
    filled    bigint NOT NULL DEFAULT 0,      -- chunks that were counted for the first time
    compared  timestamptz                     -- minutes before this were counted a second time
);
INSERT INTO rollup_watch DEFAULT VALUES;

-- What the counters show. name: transitions, errors, inputs or rejections.
CREATE TABLE rollup_totals (
    name   text NOT NULL,
    labels text[] NOT NULL,
    count  bigint NOT NULL,
    PRIMARY KEY (name, labels)
) WITH (fillfactor = 50);

-- States entered, per minute; per hour where it is long ago. No tests among them.
CREATE TABLE rollup_minutes (
    minute    timestamptz NOT NULL,
    flow      text NOT NULL,
    interface text NOT NULL,
    stage     text NOT NULL,
    state     text NOT NULL,
    entered   integer NOT NULL,
    PRIMARY KEY (minute, flow, interface, stage, state)
) WITH (fillfactor = 80);

-- Inputs that came in, per minute; per hour where it is long ago.
CREATE TABLE rollup_inputs (
    minute    timestamptz NOT NULL,
    event     text NOT NULL,
    interface text NOT NULL,
    inputs    integer NOT NULL,
    PRIMARY KEY (minute, event, interface)
) WITH (fillfactor = 80);

-- Records by what they are, in chunks of neighbouring numbers: [flow, interface, stage, state, how many, since when (epoch)
-- the oldest unfinished one of them]. dirty: some of them changed since.
CREATE TABLE rollup_chunks (
    chunk      bigint PRIMARY KEY,
    counts     jsonb NOT NULL,
    dirty      boolean NOT NULL DEFAULT false,
    counted_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
