-- Logging in by an identity provider, sessions that a person can tell apart, and who was shown a buyer's data.

ALTER TABLE users ALTER password_hash DROP NOT NULL;              -- null: logs in by the identity provider alone
ALTER TABLE users ADD issuer text, ADD subject text;              -- who the identity provider says it is
ALTER TABLE users ADD CHECK ((issuer IS NULL) = (subject IS NULL));
ALTER TABLE users ADD CHECK (password_hash IS NOT NULL OR subject IS NOT NULL);
CREATE UNIQUE INDEX users_subject ON users (issuer, subject) WHERE subject IS NOT NULL;
ALTER TABLE users ADD may_reveal boolean NOT NULL DEFAULT false;  -- a viewer who may look at a buyer's data, with a reason

ALTER TABLE sessions ADD id bigint GENERATED ALWAYS AS IDENTITY UNIQUE;
ALTER TABLE sessions ADD agent text;                              -- what the browser calls itself, in a few words

-- Logins that are on their way to the identity provider and back. Of the state only the hash is stored.
CREATE TABLE login_journeys (
    hash       bytea PRIMARY KEY,
    nonce      text NOT NULL,
    verifier   text NOT NULL,
    target     text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX login_journeys_started ON login_journeys (started_at);

-- Which records a session was shown whole. The audit says who, when and why.
CREATE TABLE reveals (
    session   bigint NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    record_id bigint NOT NULL,
    at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (session, record_id)
);
