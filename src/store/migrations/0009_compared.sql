-- Of the part that a review measured best, the share that was measured after frame 0; NULL where it is not known.
ALTER TABLE reviews ADD COLUMN compared_share REAL;
