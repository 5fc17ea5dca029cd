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
