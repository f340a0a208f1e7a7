-- What somebody saw in a review before seeing the machine's flags.
CREATE TABLE first_looks (
    id TEXT PRIMARY KEY, review_id TEXT NOT NULL REFERENCES reviews (id), author TEXT, seen TEXT NOT NULL,
    at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;
CREATE INDEX first_looks_by_review ON first_looks (review_id);
