-- A flag that somebody judged and that a later look at the film does not find any more is kept, withdrawn: its number is
-- free again. The table is made anew, because the old one claims each number for ever; `verdicts` goes with it, so that
-- no row points to a table that is gone.
CREATE TABLE kept_verdicts AS SELECT * FROM verdicts;
DROP TABLE verdicts;
CREATE TABLE kept_flags AS SELECT * FROM flags;
DROP TABLE flags;

CREATE TABLE flags (
    id TEXT PRIMARY KEY, review_id TEXT NOT NULL REFERENCES reviews (id), campaign_id TEXT NOT NULL, number INTEGER NOT NULL,
    part_name TEXT NOT NULL, peak_mm REAL NOT NULL, machine TEXT NOT NULL, content TEXT NOT NULL,
    verdict TEXT NOT NULL DEFAULT 'open', reason TEXT, label TEXT, comment TEXT, author TEXT, verdict_at TEXT,
    version INTEGER NOT NULL DEFAULT 1, withdrawn_at TEXT
) STRICT;
CREATE INDEX flags_by_campaign ON flags (campaign_id);
CREATE UNIQUE INDEX flags_by_number ON flags (review_id, number) WHERE withdrawn_at IS NULL;
CREATE INDEX flags_by_review ON flags (review_id);
INSERT INTO flags (id, review_id, campaign_id, number, part_name, peak_mm, machine, content, verdict, reason, label, comment,
    author, verdict_at, version)
SELECT id, review_id, campaign_id, number, part_name, peak_mm, machine, content, verdict, reason, label, comment,
    author, verdict_at, version FROM kept_flags;
DROP TABLE kept_flags;

CREATE TABLE verdicts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, flag_id TEXT NOT NULL REFERENCES flags (id), verdict TEXT NOT NULL, reason TEXT,
    label TEXT, comment TEXT, author TEXT, blind INTEGER NOT NULL,
    at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;
INSERT INTO verdicts (seq, flag_id, verdict, reason, label, comment, author, blind, at)
SELECT seq, flag_id, verdict, reason, label, comment, author, blind, at FROM kept_verdicts;
DROP TABLE kept_verdicts;
CREATE INDEX verdicts_by_flag ON verdicts (flag_id);
