-- The ledger is only appended to: it outlives the suggestions, simulations and reviews that it tells of, which may be
-- deleted. The table is made anew without references to them.
CREATE TABLE kept_receipts AS SELECT * FROM receipts;
DROP TABLE receipts;
CREATE TABLE receipts (
    number INTEGER PRIMARY KEY, suggestion_id TEXT NOT NULL,
    -- suggested | accepted | rejected | tried | obtained
    event TEXT NOT NULL, change INTEGER NOT NULL DEFAULT 0,
    -- tried: the re-run; obtained: the review of the re-run
    simulation_id TEXT, review_id TEXT, line TEXT NOT NULL, sha256 TEXT NOT NULL UNIQUE
) STRICT;
INSERT INTO receipts (number, suggestion_id, event, change, simulation_id, review_id, line, sha256)
SELECT number, suggestion_id, event, change, simulation_id, review_id, line, sha256 FROM kept_receipts;
DROP TABLE kept_receipts;
CREATE INDEX receipts_by_suggestion ON receipts (suggestion_id, number);
CREATE INDEX receipts_by_simulation ON receipts (simulation_id) WHERE event = 'tried';

CREATE TRIGGER receipts_are_not_changed BEFORE UPDATE ON receipts
BEGIN SELECT RAISE(ABORT, 'receipts are only appended to'); END;
CREATE TRIGGER receipts_are_not_removed BEFORE DELETE ON receipts
BEGIN SELECT RAISE(ABORT, 'receipts are only appended to'); END;
