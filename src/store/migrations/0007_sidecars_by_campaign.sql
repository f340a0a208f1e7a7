-- A side-car belongs to the simulation of its name in its campaign ('' for uploads without one). A simulation is here
-- once, however often its file comes; `simulation_places` says under which names and where it came.
ALTER TABLE simulations ADD COLUMN sidecar_name TEXT;
ALTER TABLE simulations ADD COLUMN sidecar_campaign_id TEXT;
UPDATE simulations SET sidecar_name = stem || '.json', sidecar_campaign_id = (
    SELECT coalesce(u.campaign_id, '') FROM uploads u WHERE u.kind = 'sidecar' AND u.state = 'accepted'
        AND u.sha256 = simulations.sidecar_sha256 ORDER BY u.id DESC LIMIT 1)
WHERE sidecar_sha256 IS NOT NULL;

CREATE TABLE simulation_places (
    campaign_id TEXT NOT NULL, stem TEXT NOT NULL, simulation_id TEXT NOT NULL REFERENCES simulations (id),
    -- the upload that brought it last: the newest of a name is meant by it
    upload_id TEXT NOT NULL, PRIMARY KEY (campaign_id, stem, simulation_id)
) STRICT;
INSERT INTO simulation_places (campaign_id, stem, simulation_id, upload_id)
SELECT coalesce(u.campaign_id, ''), s.stem, s.id, max(u.id) FROM uploads u JOIN simulations s ON s.id = u.simulation_id
WHERE u.kind = 'simulation' AND u.state = 'accepted' GROUP BY coalesce(u.campaign_id, ''), s.stem, s.id;

DROP TABLE waiting_sidecars;
CREATE TABLE waiting_sidecars (
    campaign_id TEXT NOT NULL, stem TEXT NOT NULL, name TEXT NOT NULL, sha256 TEXT NOT NULL,
    PRIMARY KEY (campaign_id, stem)
) STRICT;
INSERT OR REPLACE INTO waiting_sidecars (campaign_id, stem, name, sha256)
SELECT coalesce(campaign_id, ''), substr(filename, 1, length(filename) - 5), filename, sha256 FROM uploads
WHERE kind = 'sidecar' AND state = 'accepted' AND sha256 IS NOT NULL AND lower(filename) LIKE '%.json' ORDER BY id;
