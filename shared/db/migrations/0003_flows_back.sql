-- The two ways back to the marketplace: what an interface lists and shows, the parts of an export, shipments, the pool of
-- return numbers, hints of an ERP that something changed, and errands.

ALTER TABLE interfaces ADD cancels boolean NOT NULL DEFAULT true;  -- a cancellation in the ERP cancels at the marketplace

-- One row per article that an interface lists; its record (flow stock) has the state, its staged event the ERP's quantity.
CREATE TABLE articles (
    record_id   bigint PRIMARY KEY,
    interface   text NOT NULL,
    sku         text NOT NULL,
    foreign_sku text,                              -- what the marketplace calls it, where that differs
    name        text,
    kind        text NOT NULL DEFAULT 'simple' CHECK (kind IN ('simple', 'parent', 'variant')),
    parent_sku  text,
    listed_at   timestamptz,                       -- when the ERP's listing last had it; null: it came by an event
    sent        bigint,                            -- what the marketplace accepted last
    sent_at     timestamptz,
    shown       bigint,                            -- what it showed when it was last read back
    shown_at    timestamptz,
    claim_no    integer NOT NULL DEFAULT 0,        -- of the claim that sent it; fences what an older one says later
    unapplied   smallint NOT NULL DEFAULT 0,       -- how often it was accepted and then not shown
    insist      boolean NOT NULL DEFAULT false,    -- a person wants it sent even if nothing changed
    UNIQUE (interface, sku)
);
CREATE INDEX articles_parent ON articles (interface, parent_sku) WHERE parent_sku IS NOT NULL;
CREATE INDEX articles_theirs ON articles (interface, coalesce(foreign_sku, sku));
CREATE INDEX articles_unconfirmed ON articles (interface, sent_at) WHERE sent_at > coalesce(shown_at, '-infinity');

-- What of the ERP's articles an interface lists, and how far its rolling look at quantities has come.
CREATE TABLE listings (
    interface    text PRIMARY KEY REFERENCES interfaces ON DELETE CASCADE,
    filter       jsonb NOT NULL DEFAULT '{}',      -- skus, foreign_skus, name, kind, parent_sku
    refreshed_at timestamptz,
    articles     integer,
    code         text,
    looked_at    timestamptz,                      -- the rolling look: when it was last there
    looked_sku   text                              -- and the SKU it ended with
);

-- The two parts of an export; a part without a row is `never`.
CREATE TABLE parts (
    record_id  bigint NOT NULL,
    part       text NOT NULL CHECK (part IN ('status', 'tracking')),
    state      text NOT NULL CHECK (state IN ('never', 'pending', 'running', 'waiting', 'done', 'warning', 'failed', 'skipped')),
    code       text,
    reason     jsonb,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (record_id, part)
);

-- Every parcel that was told to a marketplace, or is about to be: the draft is here before the call is made.
CREATE TABLE shipments (
    record_id       bigint NOT NULL,
    shipment        text NOT NULL,                 -- the ERP's id
    state           text NOT NULL CHECK (state IN ('intended', 'accepted', 'confirmed')),
    carrier         text NOT NULL,                 -- the marketplace's word
    tracking_number text,
    units           text[] NOT NULL,
    document        jsonb NOT NULL,
    remarks         jsonb,
    remote          text,                          -- the marketplace's id
    claim_no        integer NOT NULL,
    intended_at     timestamptz NOT NULL DEFAULT now(),
    accepted_at     timestamptz,
    confirmed_at    timestamptz,
    PRIMARY KEY (record_id, shipment)
);
CREATE INDEX shipments_tracking ON shipments (tracking_number) WHERE tracking_number IS NOT NULL;

-- Return numbers to give to shipments for which the ERP names none; each is given once, in their order.
CREATE TABLE return_numbers (
    no        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    interface text NOT NULL REFERENCES interfaces ON DELETE CASCADE,
    carrier   text NOT NULL,
    number    text NOT NULL,
    record_id bigint,
    shipment  text,
    given_at  timestamptz,
    added_at  timestamptz NOT NULL DEFAULT now(),
    added_by  text,
    UNIQUE (interface, carrier, number)
);
CREATE INDEX return_numbers_free ON return_numbers (interface, no) WHERE record_id IS NULL;
CREATE UNIQUE INDEX return_numbers_given ON return_numbers (record_id, shipment) WHERE record_id IS NOT NULL;

-- What an ERP said has changed, by its own id; one row however often it says so until somebody has looked.
CREATE TABLE hints (
    interface text NOT NULL REFERENCES interfaces ON DELETE CASCADE,
    kind      text NOT NULL CHECK (kind IN ('order', 'delivery', 'article')),
    id        text NOT NULL,
    no        integer NOT NULL DEFAULT 1,          -- how often; fences the removal
    seen_at   timestamptz NOT NULL DEFAULT now(),
    due_at    timestamptz NOT NULL DEFAULT now(),
    tries     smallint NOT NULL DEFAULT 0,
    code      text,
    PRIMARY KEY (interface, kind, id)
);
CREATE INDEX hints_due ON hints (interface, kind, due_at);

-- The poll of an ERP's changes behind its webhooks.
CREATE TABLE erp_cursors (
    interface text PRIMARY KEY REFERENCES interfaces ON DELETE CASCADE,
    watermark timestamptz,
    polled_at timestamptz,
    ok_at     timestamptz,
    code      text
);

-- Long work for one interface that a person or the night asks for: refresh the listing, compare with the marketplace.
CREATE TABLE errands (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    verb        text NOT NULL CHECK (verb IN ('listing', 'drift')),
    interface   text NOT NULL REFERENCES interfaces ON DELETE CASCADE,
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    due_at      timestamptz DEFAULT now(),         -- null once it is finished
    tries       smallint NOT NULL DEFAULT 0,
    seen        integer NOT NULL DEFAULT 0,        -- how many articles so far
    result      jsonb,
    code        text,
    finished_at timestamptz
);
CREATE UNIQUE INDEX errands_open ON errands (interface, verb) WHERE finished_at IS NULL;
CREATE INDEX errands_due ON errands (due_at) WHERE due_at IS NOT NULL;

-- What a person asks for by filter may belong to several interfaces: each number has its own, the receipt none then.
ALTER TABLE receipts ALTER interface DROP NOT NULL;
ALTER TABLE receipt_numbers ADD interface text;
UPDATE receipt_numbers n SET interface = r.interface FROM receipts r WHERE r.id = n.receipt;
ALTER TABLE receipt_numbers ALTER interface SET NOT NULL;
