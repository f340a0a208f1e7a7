-- The queue is apalis-sqlite's now: tables `Jobs` and `Workers`, made by its own migrations (src/store/queue.rs, which
-- moves what is left here over and drops this table). Ids of jobs are ULIDs there, the same numbers as these UUIDv7.
DROP INDEX jobs_waiting;
DROP INDEX jobs_by_subject;
ALTER TABLE jobs RENAME TO earlier_jobs;
