-- Ids are UUIDv7 texts (their order is the order of creation), times RFC 3339 in UTC, `*_ms` Unix milliseconds.
CREATE TABLE campaigns (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;

CREATE TABLE uploads (
    id TEXT PRIMARY KEY, filename TEXT NOT NULL, length INTEGER NOT NULL, received INTEGER NOT NULL DEFAULT 0,
    -- receiving | reading | accepted | refused
    state TEXT NOT NULL DEFAULT 'receiving',
    -- simulation | sidecar | test
    kind TEXT NOT NULL, campaign_id TEXT REFERENCES campaigns (id), expected_sha256 TEXT, sha256 TEXT, refusal TEXT,
    simulation_id TEXT, test_id TEXT,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;

-- `stem` is the file's name without its ending: a side-car joins the simulation of its stem.
CREATE TABLE simulations (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, stem TEXT NOT NULL, sha256 TEXT NOT NULL UNIQUE, bytes INTEGER NOT NULL,
    sidecar_sha256 TEXT, summary TEXT NOT NULL, version INTEGER NOT NULL DEFAULT 1,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;
CREATE INDEX simulations_by_stem ON simulations (stem);

-- Side-cars that came before their simulation.
CREATE TABLE waiting_sidecars (stem TEXT PRIMARY KEY, sha256 TEXT NOT NULL) STRICT;

CREATE TABLE tests (
    id TEXT PRIMARY KEY, campaign_id TEXT NOT NULL REFERENCES campaigns (id), name TEXT NOT NULL, filename TEXT NOT NULL,
    sha256 TEXT, bytes INTEGER NOT NULL, cameras TEXT NOT NULL, live INTEGER NOT NULL DEFAULT 0,
    version INTEGER NOT NULL DEFAULT 1,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    UNIQUE (campaign_id, sha256)
) STRICT;

CREATE TABLE batches (
    id TEXT PRIMARY KEY, idempotency_key TEXT UNIQUE, request_sha256 TEXT NOT NULL, webhook_url TEXT,
    webhook_secret TEXT, webhook_state TEXT,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;

CREATE TABLE reviews (
    id TEXT PRIMARY KEY, batch_id TEXT REFERENCES batches (id), campaign_id TEXT NOT NULL REFERENCES campaigns (id),
    simulation_id TEXT NOT NULL REFERENCES simulations (id), test_id TEXT NOT NULL REFERENCES tests (id),
    -- queued | running | finished | failed | cancelled
    state TEXT NOT NULL DEFAULT 'queued', stage TEXT NOT NULL DEFAULT 'queued',
    pictures_done INTEGER NOT NULL DEFAULT 0, pictures_total INTEGER NOT NULL DEFAULT 0, seconds_left REAL,
    refusal TEXT, tolerance_mm REAL NOT NULL, tolerances TEXT NOT NULL DEFAULT '{}', provider TEXT,
    live INTEGER NOT NULL DEFAULT 0, version INTEGER NOT NULL DEFAULT 1,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')), finished_at TEXT
) STRICT;
CREATE INDEX reviews_by_test ON reviews (test_id);
CREATE INDEX reviews_by_batch ON reviews (batch_id);

-- A job runs under a lease: who holds `lease_token` before `lease_until_ms` may write its result, nobody else.
CREATE TABLE jobs (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, subject_id TEXT NOT NULL,
    -- queued | running | done | failed | cancelled
    state TEXT NOT NULL DEFAULT 'queued', attempts INTEGER NOT NULL DEFAULT 0, max_attempts INTEGER NOT NULL,
    run_at_ms INTEGER NOT NULL DEFAULT 0, lease_token TEXT, lease_until_ms INTEGER, cancel_wanted INTEGER NOT NULL DEFAULT 0,
    error TEXT, created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')), finished_at TEXT
) STRICT;
CREATE INDEX jobs_waiting ON jobs (state, run_at_ms, id);
CREATE INDEX jobs_by_subject ON jobs (subject_id);

CREATE TABLE flags (
    id TEXT PRIMARY KEY, review_id TEXT NOT NULL REFERENCES reviews (id), campaign_id TEXT NOT NULL, number INTEGER NOT NULL,
    part_name TEXT NOT NULL, peak_mm REAL NOT NULL, machine TEXT NOT NULL, content TEXT NOT NULL,
    verdict TEXT NOT NULL DEFAULT 'open', reason TEXT, label TEXT, comment TEXT, author TEXT, verdict_at TEXT,
    version INTEGER NOT NULL DEFAULT 1, UNIQUE (review_id, number)
) STRICT;
CREATE INDEX flags_by_campaign ON flags (campaign_id);

CREATE TABLE verdicts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, flag_id TEXT NOT NULL REFERENCES flags (id), verdict TEXT NOT NULL, reason TEXT,
    label TEXT, comment TEXT, author TEXT, blind INTEGER NOT NULL,
    at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;

-- What changed, in order. The stream sends the thing as it is when it is sent.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, subject_id TEXT NOT NULL, campaign_id TEXT,
    at_ms INTEGER NOT NULL DEFAULT (CAST(1000 * unixepoch('now', 'subsec') AS INTEGER))
) STRICT;

CREATE TABLE lives (
    id TEXT PRIMARY KEY, review_id TEXT NOT NULL REFERENCES reviews (id), test_id TEXT NOT NULL, simulation_id TEXT NOT NULL,
    campaign_id TEXT NOT NULL, cameras TEXT NOT NULL,
    -- receiving | ended
    state TEXT NOT NULL DEFAULT 'receiving', received INTEGER NOT NULL DEFAULT 0, reviewed INTEGER NOT NULL DEFAULT 0,
    rate_note TEXT, created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;
