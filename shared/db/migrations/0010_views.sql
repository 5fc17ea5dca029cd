-- Saved views of the lists, and what a number that is in no list is looked up in.

-- A view is a name for a filter and a sort of one list. A shared one is seen by everybody, changed by its owner.
CREATE TABLE views (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner      text NOT NULL,
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    resource   text NOT NULL CHECK (resource IN ('orders', 'exports', 'articles')),
    filter     text NOT NULL,
    sort       text NOT NULL,
    shared     boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX views_name ON views (owner, resource, lower(name));
CREATE INDEX views_shared ON views (resource) WHERE shared;

CREATE INDEX receipt_numbers_number ON receipt_numbers (number);
