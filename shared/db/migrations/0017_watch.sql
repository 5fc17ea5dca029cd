-- Who watches the watcher: what Prometheus tells, signs of life, and the order that is only there to see it arrive.

-- Alerts that Alertmanager told of. The next round of the alert service reads how they stand.
CREATE TABLE received_alerts (
    key         text PRIMARY KEY,                    -- Alertmanager's fingerprint, or a hash of the labels
    name        text NOT NULL,
    interface   text NOT NULL DEFAULT '',            -- one that there is, or none
    summary     text NOT NULL,
    severity    text NOT NULL CHECK (severity IN ('warning', 'error')),
    starts_at   timestamptz NOT NULL,
    ends_at     timestamptz,                         -- over then unless told of again; null: not said
    seen_at     timestamptz NOT NULL DEFAULT now(),  -- when it was last told of
    resolved_at timestamptz                          -- when it was told that it is over
);

-- When something was last seen that must come again and again, e.g. Prometheus' Watchdog.
CREATE TABLE signs_of_life (
    name    text PRIMARY KEY,
    seen_at timestamptz NOT NULL DEFAULT now()
);

-- One probe order per live interface: the last one, overwritten by the next. It is in no list, no book and no metric of
-- records, because it never becomes a record.
CREATE TABLE probes (
    interface    text PRIMARY KEY REFERENCES interfaces (slug) ON DELETE CASCADE ON UPDATE CASCADE,
    since        timestamptz NOT NULL DEFAULT now(),  -- when the first one was due
    no           bigint NOT NULL DEFAULT 0,
    sent_at      timestamptz,                         -- handed to the broker
    answered_at  timestamptz,                         -- taken from the broker, and its dry run is over
    trouble      text,                                -- code of what kept it from being drafted; null: nothing
    shown_at     timestamptz,                         -- the Journal has seen it
    succeeded_at timestamptz,                         -- the last one that came through, as the Journal saw it
    seconds      double precision                     -- from sent_at to shown_at of that one
);
