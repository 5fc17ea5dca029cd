-- Who may do what: users and their sessions, tokens of programs, the brake on guessing, the audit, and bulk runs.
-- Of session and token only the hash is stored: a copy of the database opens no door.

CREATE TABLE users (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL CHECK (name = btrim(name) AND length(name) BETWEEN 1 AND 100),
    password_hash text NOT NULL,
    role          text NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    language      text CHECK (language IN ('de', 'en')),     -- null: what the browser asks for
    time_zone     text,                                      -- null: the installation's
    active        boolean NOT NULL DEFAULT true,
    created_at    timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX users_name ON users (lower(name));

CREATE TABLE sessions (
    hash       bytea PRIMARY KEY,
    user_id    bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    seen_at    timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);
CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE tokens (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL CHECK (name = btrim(name) AND length(name) BETWEEN 1 AND 100),
    hash       bytea NOT NULL UNIQUE,
    role       text NOT NULL CHECK (role IN ('viewer', 'operator', 'admin', 'publisher')),
    interfaces text[],                                       -- of a publisher: where it may post; null: everywhere
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at    timestamptz,
    revoked_at timestamptz
);
CREATE UNIQUE INDEX tokens_name ON tokens (lower(name)) WHERE revoked_at IS NULL;

-- Failed logins within the last minutes, per account and per address; kept as hashes, so it holds no list of people.
CREATE TABLE login_failures (
    subject    bytea PRIMARY KEY,
    failures   integer NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE audit (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at     timestamptz NOT NULL DEFAULT now(),
    actor  text NOT NULL,
    verb   text NOT NULL,
    target jsonb NOT NULL DEFAULT '{}',
    reason text
);
CREATE INDEX audit_at ON audit (at DESC);

-- One row per "retry all that match": what was asked, by whom, and what became of it.
CREATE TABLE bulk_runs (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    verb        text NOT NULL,
    flow        text NOT NULL,
    filter      text,
    excepted    bigint[] NOT NULL DEFAULT '{}',
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    matched     integer NOT NULL,
    done        bigint[] NOT NULL DEFAULT '{}',
    skipped     jsonb NOT NULL DEFAULT '{}'                  -- record → why nothing was done
);
