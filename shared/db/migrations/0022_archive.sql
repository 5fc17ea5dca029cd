-- Orders that are long over, and what happened to articles long ago: history and older copies go into the files of an
-- archive. What later events and the books go by stays here: record, newest copy, inbox, parcels (ADR 45).

CREATE TABLE archive_parts (
    no       integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id       uuid NOT NULL DEFAULT gen_random_uuid(), -- in the folder's name: another database numbers its own parts
    kind     text NOT NULL CHECK (kind IN ('orders', 'articles')),
    month    date NOT NULL,                           -- in which its orders came in; of articles: the last one in it
    state    text NOT NULL DEFAULT 'writing' CHECK (state IN ('writing', 'written', 'archived')),
    records  integer,                                 -- in the files; how many of them were taken out here: archived
    rows     bigint,
    bytes    bigint,
    manifest text,                                    -- its SHA-256
    begun_at timestamptz NOT NULL DEFAULT now(),
    done_at  timestamptz
);

CREATE TABLE archived (
    record_id bigint NOT NULL,
    part      integer NOT NULL REFERENCES archive_parts,
    at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (record_id, part)
);
CREATE INDEX archived_part ON archived (part, record_id);
