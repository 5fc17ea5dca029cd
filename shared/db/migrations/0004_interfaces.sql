-- Each secret of a side is sealed by itself, bound to interface, side and name. What an earlier release sealed for a
-- whole side stays in `sides.sealed` until the side is saved again or `connect secrets rotate` has run.

CREATE TABLE credentials (
    interface text NOT NULL,
    side      text NOT NULL,
    name      text NOT NULL,
    sealed    bytea NOT NULL,                      -- version, key id, nonce, AES-256-GCM (shared/seal.py)
    PRIMARY KEY (interface, side, name),
    FOREIGN KEY (interface, side) REFERENCES sides ON DELETE CASCADE
);
