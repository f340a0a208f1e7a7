-- What a live test had reached when it ended.
ALTER TABLE lives ADD COLUMN last_time_s REAL;
ALTER TABLE lives ADD COLUMN p50_ms REAL;
ALTER TABLE lives ADD COLUMN p99_ms REAL;
