-- Calls of remote systems: turns in place of a bucket, and access tokens that all workers share.

-- Each call has its turn; a bucket let whoever was idle for a second double the vendor's rate in the next one.
ALTER TABLE side_states DROP COLUMN tokens;
ALTER TABLE side_states RENAME COLUMN refilled_at TO next_call_at;

-- One token per name; `no` grows with each, and fences who drops or renews it.
CREATE TABLE remote_tokens (
    interface      text NOT NULL,
    side           text NOT NULL,
    name           text NOT NULL,
    no             integer NOT NULL DEFAULT 0,
    sealed         bytea,                              -- AES-GCM, bound to interface, side and name; null: none
    expires_at     timestamptz,
    renewing_until timestamptz,                        -- one process fetches a new one, at the latest until then
    PRIMARY KEY (interface, side, name),
    FOREIGN KEY (interface, side) REFERENCES sides ON DELETE CASCADE
);
