-- What was suggested for a review. `study` names the folder of the runs that it rests on.
CREATE TABLE suggestions (
    id TEXT PRIMARY KEY, review_id TEXT NOT NULL REFERENCES reviews (id), campaign_id TEXT NOT NULL REFERENCES campaigns (id),
    -- planned: a table of runs that are being computed or have failed, CSV
    idempotency_key TEXT UNIQUE, next_runs INTEGER NOT NULL, planned TEXT,
    -- queued | running | finished | failed | cancelled
    state TEXT NOT NULL DEFAULT 'queued', stage TEXT NOT NULL DEFAULT 'queued',
    done INTEGER NOT NULL DEFAULT 0, total INTEGER NOT NULL DEFAULT 0, refusal TEXT,
    study TEXT, verdict TEXT, headline TEXT, changes INTEGER NOT NULL DEFAULT 0, sha256 TEXT,
    version INTEGER NOT NULL DEFAULT 1,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')), finished_at TEXT
) STRICT;
CREATE INDEX suggestions_by_review ON suggestions (review_id);

-- The ledger: `line` is the receipt as it was sealed; its digest holds the digest of the one before. Only appended to.
CREATE TABLE receipts (
    number INTEGER PRIMARY KEY, suggestion_id TEXT NOT NULL REFERENCES suggestions (id),
    -- suggested | accepted | rejected | tried | obtained
    event TEXT NOT NULL, change INTEGER NOT NULL DEFAULT 0,
    -- tried: the re-run; obtained: the review of the re-run
    simulation_id TEXT REFERENCES simulations (id), review_id TEXT REFERENCES reviews (id),
    line TEXT NOT NULL, sha256 TEXT NOT NULL UNIQUE
) STRICT;
CREATE INDEX receipts_by_suggestion ON receipts (suggestion_id, number);
CREATE INDEX receipts_by_simulation ON receipts (simulation_id) WHERE event = 'tried';

CREATE TRIGGER receipts_are_not_changed BEFORE UPDATE ON receipts
BEGIN SELECT RAISE(ABORT, 'receipts are only appended to'); END;
CREATE TRIGGER receipts_are_not_removed BEFORE DELETE ON receipts
BEGIN SELECT RAISE(ABORT, 'receipts are only appended to'); END;
