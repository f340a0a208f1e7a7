#!/usr/bin/env python3
"""Development only, never shipped: serves the contract of /api/v1 from one real review, so that the page can be built
before the service stands.  python3 dev/fake.py [--port 8090] [--dist DIR] [--review DIR] [--speed X]

State is kept in memory; a 'live' test is played in again and again."""
import argparse, base64, hashlib, http.server, io, json, os, queue, threading, time, uuid
import cv2, h5py, numpy as np

arguments = argparse.ArgumentParser()
arguments.add_argument("--port", type=int, default=8091)
arguments.add_argument("--dist", default=os.path.join(os.path.dirname(__file__), "..", "dist"))
arguments.add_argument("--review", default="/tmp/page/example")
arguments.add_argument("--example", default=os.path.join(os.path.dirname(__file__), "../../fixtures/example"))
arguments.add_argument("--speed", type=float, default=0.02)
arguments = arguments.parse_args()

NOW = lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
ID = lambda: str(uuid.uuid4())
CSP = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
       "connect-src 'self'; worker-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'")


class Example:
    """One review with its film, turned into what the endpoints say."""
    def __init__(self):
        self.json = json.load(open(arguments.review + "/review.json"))
        out = h5py.File(arguments.review + "/review.vtkhdf")["VTKHDF"]
        sim = h5py.File(arguments.example + "/simulation.vtkhdf")["VTKHDF"]
        film = h5py.File(arguments.example + "/test.h5")
        n, e = int(sim["NumberOfPoints"][0]), int(sim["NumberOfCells"][0])
        self.nodes, self.elements = n, e
        self.points = sim["Points"][:].astype(np.float32)
        conn, offsets = sim["Connectivity"][:], sim["Offsets"][:]
        tri, owner = [], []
        for k in range(e):
            c = conn[offsets[k]:offsets[k + 1]]
            for j in range(1, len(c) - 1):
                tri.append((c[0], c[j], c[j + 1])); owner.append(k)
        self.tri, self.owner = np.array(tri, np.uint32), np.array(owner, np.uint32)
        self.part = sim["CellData/PartId"][:e].astype(np.int32)
        self.times = out["Steps/Values"][:]
        t = len(self.times)
        moved = out["Points"][:].reshape(t, n, 3)
        self.simulated = moved.astype(np.float32)
        self.deviation = out["PointData/Deviation"][:].reshape(t, n, 3).astype(np.float32)
        self.sigma = out["PointData/DeviationSigma"][:].reshape(t, n).astype(np.float32)
        self.deviation[np.isnan(self.sigma)] = np.nan
        cell = out["CellData/PlasticStrain"][:].reshape(t, e)
        self.flag_id = out["CellData/FlagId"][:].reshape(t, e).astype(np.uint16)
        total, count = np.zeros((t, n)), np.zeros(n)
        for k in range(e):
            for c in conn[offsets[k]:offsets[k + 1]]:
                total[:, c] += cell[:, k]; count[c] += 1
        self.plastic = (total / np.maximum(count, 1)).astype(np.float32)
        self.cameras, self.film, self.predicted, self.record = [], {}, {}, []
        for name in film["cameras"]:
            c = film["cameras"][name]
            k, d = c["intrinsics"][:], c["distortion"][:]
            h, w = c["frames"].shape[1:3]
            pose = self.json["alignment"][name]["pose"]
            m = np.eye(4); m[:3, :3] = pose["rotation"]; m[:3, 3] = pose["translation_mm"]
            al = self.json["alignment"][name]
            self.cameras.append(dict(name=name, width=w, height=h, fx=k[0, 0], fy=k[1, 1], cx=k[0, 2], cy=k[1, 2],
                pose=m.ravel().tolist(), frames=list(range(t)), mm_per_px=al["mm_per_px"], moved_px=al["moved_px"],
                target_rms_px=al["target_rms_px"]))
            self.record.append(dict(name=name, width=w, height=h, frames=t, times_s=c["time"][:].tolist()))
            self.film[name] = [cv2.undistort(f, k, d) for f in c["frames"][:]]
            self.predicted[name] = self.predict(name, k, m)
        self.jpegs = {}

    def predict(self, name, k, m):
        """Frame 0's look carried by the simulation (painter's order; good enough to build a page with)."""
        cache = f"{arguments.review}/predicted_{name}.npy"
        if os.path.exists(cache): return list(np.load(cache))
        first = self.film[name][0]
        def project(p):
            q = p @ m[:3, :3].T + m[:3, 3]
            return np.stack([k[0, 0] * q[:, 0] / q[:, 2] + k[0, 2], k[1, 1] * q[:, 1] / q[:, 2] + k[1, 2]], 1), q[:, 2]
        uv, _ = project(self.points)
        hull = np.zeros_like(first); 
        for tri in self.tri: cv2.fillConvexPoly(hull, np.rint(uv[tri]).astype(np.int32), 255)
        back = cv2.inpaint(first, cv2.dilate(hull, np.ones((5, 5))), 3, cv2.INPAINT_TELEA)
        out = []
        for s in self.simulated:
            px, depth = project(s); img = back.copy(); h, w = img.shape
            for i in np.argsort(-depth[self.tri].mean(1)):
                a, b = uv[self.tri[i]].astype(np.float32), px[self.tri[i]].astype(np.float32)
                x0, y0 = np.floor(b.min(0)).astype(int); x1, y1 = np.ceil(b.max(0)).astype(int) + 1
                x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, w), min(y1, h)
                if x1 <= x0 or y1 <= y0: continue
                try: warp = cv2.getAffineTransform(a, b - np.float32([x0, y0]))
                except cv2.error: continue
                patch = cv2.warpAffine(first, warp, (x1 - x0, y1 - y0), borderMode=cv2.BORDER_REPLICATE)
                mask = np.zeros(patch.shape, np.uint8)
                cv2.fillConvexPoly(mask, np.rint(b - [x0, y0]).astype(np.int32), 255)
                img[y0:y1, x0:x1][mask > 0] = patch[mask > 0]
            out.append(img)
        np.save(cache, np.array(out))
        return out

    def jpeg(self, camera, i, layer, width):
        key = (camera, i, layer, width)
        if key not in self.jpegs:
            img = (self.predicted if layer == "predicted" else self.film)[camera][i]
            if width and width < img.shape[1]:
                img = cv2.resize(img, (width, round(img.shape[0] * width / img.shape[1])), interpolation=cv2.INTER_AREA)
            self.jpegs[key] = cv2.imencode(".jpg", img, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()
        return self.jpegs[key]

    def mesh(self):
        head = np.array([self.nodes, len(self.tri), self.elements, 0], "<u4").tobytes()
        return b"".join([head, self.points.tobytes(), self.tri.tobytes(), self.owner.tobytes(), self.part.tobytes(),
                         np.arange(self.elements, dtype="<u4").tobytes()])

    def state(self, i):
        return b"".join(a[i].astype("<f4").tobytes() for a in (self.simulated, self.deviation, self.sigma, self.plastic))

    def parts(self):
        out = []
        for p in self.json["parts"]:
            s = p["series"]
            out.append(dict(id=p["part_id"], name=p["part_name"], tolerance_mm=p["tolerance_mm"], onset_s=p["onset_s"],
                peak_mm=p["peak_mm"], series=[dict(time_s=t, p50_mm=a, p95_mm=b, sigma_mm=c, coverage=d) for t, a, b, c, d
                in zip(s["times_s"], s["median_mm"], s["p95_mm"], s["sigma_mm"], s["coverage"])]))
        return out

    def flags(self, review_id):
        return [dict(id=ID(), number=f["id"], review_id=review_id, part_id=f["part_id"], part_name=f["part_name"],
            kind=f["kind"], verdict_machine=f["verdict"], probability=f["probability"], onset_s=f["onset_s"],
            peak_s=f["peak_s"], peak_mm=f["peak_mm"], peak_sigma_mm=f["peak_sigma_mm"], area_mm2=f["area_mm2"],
            cameras=f["cameras"], element_ids=f["element_ids"], bbox_px=f["bbox_px"], version=0,
            verdict=dict(state="open", reason=None, label=None, comment=None, author=None, at=None))
            for f in self.json["flags"]]


EX = Example()
LOCK = threading.RLock()
EVENTS, WAITING = [], []
campaign = dict(id=ID(), name="Crash box, spring 2026", created_at=NOW())
CAMPAIGNS = {campaign["id"]: campaign}
SIMULATIONS, TESTS, REVIEWS, FLAGS, HISTORY, UPLOADS, LOOKS, LIVES = {}, {}, {}, {}, {}, {}, {}, {}


def emit(name, thing):
    with LOCK:
        EVENTS.append((len(EVENTS) + 1, name, json.dumps(thing)))
        for q in WAITING: q.put(EVENTS[-1])


def add_simulation(name, sha="0" * 64, size=308742):
    s = dict(id=ID(), name=name, sha256=sha, bytes=size, family="crash_box", nodes=EX.nodes, elements=EX.elements, states=23,
             parts=[dict(id=p["id"], name=p["name"]) for p in EX.parts()], parameters=[])
    SIMULATIONS[s["id"]] = s
    return s


def add_test(name, state="stored", sha="1" * 64):
    t = dict(id=ID(), campaign_id=campaign["id"], name=name, sha256=sha, bytes=7812006, cameras=EX.record, state=state,
             latest_review_id=None)
    TESTS[t["id"]] = t
    return t


def add_review(s, t, state="queued", live=False, batch=None):
    r = dict(id=ID(), batch_id=batch, campaign_id=campaign["id"], simulation_id=s["id"], test_id=t["id"], state=state,
             stage="queued", pictures_done=0, pictures_total=2 * len(EX.times), seconds_left=None, refusal=None,
             tolerance_mm=5.0, created_at=NOW(), finished_at=None, flags=0, provider=None, live=live)
    REVIEWS[r["id"]] = r; FLAGS[r["id"]] = []; t["latest_review_id"] = r["id"]
    return r


def finish(r, flags=True):
    r.update(state="finished", stage="done", pictures_done=r["pictures_total"], finished_at=NOW(), provider="opencv_dis",
             seconds_left=0)
    if flags and not FLAGS[r["id"]]: FLAGS[r["id"]] = EX.flags(r["id"])
    r["flags"] = len(FLAGS[r["id"]])
    TESTS[r["test_id"]]["state"] = "reviewed"
    emit("review", r)


def run(r):
    for k in range(r["pictures_total"] + 1):
        time.sleep(0.1)
        if r["state"] == "cancelled": return emit("review", r)
        r.update(state="running", stage="measuring", pictures_done=k, seconds_left=(r["pictures_total"] - k) * 0.1)
        emit("review", r)
    finish(r)


SIM = add_simulation("crash_box_run_000")
TEST = add_test("crash_box-T2"); finish(add_review(SIM, TEST))
for name in ("crash_box-T1", "crash_box-T0"): finish(add_review(SIM, add_test(name)), flags=False)
FAILED = add_review(SIM, add_test("crash_box-T5"), "failed")
FAILED.update(refusal="camera `left`: the pose is 240 mm off; at least four targets are needed to solve it, found 2")
add_test("crash_box-T6")


def play_live():
    t = add_test("crash_box-T7", "live"); r = add_review(SIM, t, "running", live=True)
    live = dict(id=ID(), review_id=r["id"], test_id=t["id"], campaign_id=campaign["id"], name=t["name"], received=0,
                expected=32, flagged=0, behind=0, rate_note=None, last_time_s=None, ended=False, p50_ms=61.0, p99_ms=148.0)
    LIVES[live["id"]] = live
    while True:
        flags = EX.flags(r["id"]); FLAGS[r["id"]] = []; t["state"] = "live"
        r.update(state="running", pictures_done=0, flags=0); live.update(received=0, flagged=0, ended=False)
        for i, at in enumerate(EX.times):
            live.update(received=2 * (i + 1), flagged=len(FLAGS[r["id"]]), last_time_s=float(at), behind=i % 3,
                        rate_note="every 2nd picture; the rest afterwards" if 8 <= i < 11 else None)
            r.update(pictures_done=2 * (i + 1), stage="live", seconds_left=len(EX.times) - i)
            emit("live", live); emit("review", r)
            for f in flags:
                if abs(f["onset_s"] - at) < 1e-6:
                    FLAGS[r["id"]].append(f); r["flags"] += 1; emit("flag", f)
            time.sleep(1)
        live["ended"] = True; emit("live", live); finish(r)
        time.sleep(20)


threading.Thread(target=play_live, daemon=True).start()


class Door(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass

    def send(self, body=b"", status=200, kind="application/json", **headers):
        if not isinstance(body, bytes): body = json.dumps(body).encode()
        self.send_response(status)
        if status not in (204, 304): self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body))); self.send_header("Content-Security-Policy", CSP)
        for k, v in headers.items(): self.send_header(k.replace("_", "-"), v)
        self.end_headers(); self.wfile.write(body)

    def problem(self, status, detail):
        self.send(dict(type="about:blank", title="refused", status=status, detail=detail), status, "application/problem+json")

    def body(self): return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def handle_one(self):
        path, _, query = self.path.partition("?")
        query = dict(p.partition("=")[::2] for p in query.split("&") if p)
        if not path.startswith("/api/v1/"): return self.page(path)
        p = path[8:].split("/"); verb = self.command
        try: self.answer(verb, p, query)
        except KeyError as error: self.problem(404, f"there is no {error}")
    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_one

    def page(self, path):
        file = os.path.normpath(arguments.dist + path)
        if not os.path.isfile(file): file = arguments.dist + "/index.html"
        kind = {"js": "text/javascript", "css": "text/css", "html": "text/html", "svg": "image/svg+xml",
                "woff2": "font/woff2"}.get(file.rsplit(".", 1)[-1], "application/octet-stream")
        self.send(open(file, "rb").read(), kind=kind)

    def items(self, things): self.send(dict(items=list(things), next_cursor=None))
    KEEP = dict(ETag='"x"', Cache_Control="public, max-age=31536000, immutable")

    def answer(self, verb, p, q):
        match [verb] + p:
            case ["GET", "version"]: self.send(dict(version="0.1.0-fake", provider="opencv_dis", commit="dev"))
            case ["GET", "campaigns"]: self.items(self.campaign(c) for c in CAMPAIGNS.values())
            case ["POST", "campaigns"]:
                c = dict(id=ID(), name=json.loads(self.body())["name"], created_at=NOW()); CAMPAIGNS[c["id"]] = c
                self.send(self.campaign(c), 201)
            case ["GET", "campaigns", i]: self.send(self.campaign(CAMPAIGNS[i], True))
            case ["GET", "simulations"]: self.items(SIMULATIONS.values())
            case ["GET", "simulations", i]: self.send(SIMULATIONS[i])
            case ["GET", "tests"]: self.items(t for t in TESTS.values() if q.get("campaign_id", t["campaign_id"]) == t["campaign_id"])
            case ["GET", "tests", i]: self.send(TESTS[i])
            case ["GET", "models"]: self.items([])
            case ["GET", "jobs"]: self.items([])
            case ["GET", "live"]: self.items(LIVES.values())
            case ["GET", "live", i]: self.send(LIVES[i])
            case ["GET", "reviews"]:
                self.items(r for r in list(REVIEWS.values())[::-1] if all(r[k] == v for k, v in q.items() if k in r))
            case ["POST", "reviews"]:
                b, batch = json.loads(self.body()), ID()
                made = [add_review(SIMULATIONS[x["simulation_id"]], TESTS[x["test_id"]], batch=batch) for x in b["pairs"]]
                for r in made:
                    r["tolerance_mm"] = b.get("tolerance_mm") or 5.0; emit("review", r)
                    threading.Thread(target=run, args=(r,), daemon=True).start()
                self.send(dict(batch_id=batch, reviews=made), 202)
            case ["GET", "reviews", i]: self.send(REVIEWS[i])
            case ["DELETE", "reviews", i]: REVIEWS[i]["state"] = "cancelled"; self.send(b"", 204)
            case ["GET", "reviews", i, "result"]:
                r = REVIEWS[i]
                if r["state"] != "finished": return self.problem(409, f"the review is {r['state']}; its result comes when it is finished")
                al = EX.json["alignment"]["left"]
                self.send(dict(times_s=EX.times.tolist(), cameras=EX.cameras, parts=EX.parts(), alignment=EX.json["alignment"],
                    trigger=dict(offset_s=al["time_offset_s"], sigma_s=al["time_offset_sigma_s"]), noise=EX.json["noise_floor"],
                    warnings=EX.json["warnings"] or ["camera `right`: 4 of 6 targets are covered from 14.7 ms on"], flags=FLAGS[i]))
            case ["GET", "reviews", i, "mesh"]: REVIEWS[i]; self.send(EX.mesh(), kind="application/octet-stream", **self.KEEP)
            case ["GET", "reviews", i, "states", k]: self.send(EX.state(int(k)), kind="application/octet-stream", **self.KEEP)
            case ["GET", "reviews", i, "flag_elements", k]:
                on = FLAGS[i] and EX.flag_id[int(k)].astype("<u2") or None if False else EX.flag_id[int(k)].astype("<u2") * bool(FLAGS[i])
                self.send(on.astype("<u2").tobytes(), kind="application/octet-stream")
            case ["GET", "reviews", i, "pictures", camera, name]:
                self.send(EX.jpeg(camera, int(name.split(".")[0]), q.get("layer", "film"), int(q.get("width", 0))), kind="image/jpeg", **self.KEEP)
            case ["GET", "reviews", i, "plots"]:
                names = sorted(f[:-4] for f in os.listdir(arguments.review + "/plots") if f.endswith(".svg"))
                self.send([dict(name=n, title=n.replace("_", " ")) for n in names])
            case ["GET", "reviews", i, "plots", name]:
                self.send(open(f"{arguments.review}/plots/{name}", "rb").read(), kind="image/svg+xml" if name.endswith("svg") else "image/png")
            case ["GET", "reviews", i, ("report.html" | "flags.csv" | "review.json" | "review.vtkhdf") as name]:
                kind = dict(html="text/html", csv="text/csv", json="application/json").get(name.split(".")[1], "application/octet-stream")
                self.send(open(f"{arguments.review}/{name}", "rb").read(), kind=kind)
            case ["GET", "reviews", i, "first_looks"]: self.items(LOOKS.get(i, []))
            case ["POST", "reviews", i, "first_looks"]:
                look = dict(json.loads(self.body()), id=ID(), at=NOW()); LOOKS.setdefault(i, []).append(look); self.send(look, 201)
            case ["GET", "flags"]:
                self.items(f for fs in FLAGS.values() for f in fs if q.get("review_id", f["review_id"]) == f["review_id"])
            case ["PUT", "flags", i, "verdict"]:
                f = next(f for fs in FLAGS.values() for f in fs if f["id"] == i); b = json.loads(self.body())
                f["verdict"] = dict(state=b["state"], reason=b.get("reason"), label=b.get("label"), comment=b.get("comment"),
                                    author=b.get("author"), at=NOW(), blind=b.get("blind", False))
                HISTORY.setdefault(i, []).append(f["verdict"])
                if self.headers.get("If-Match", '"%d"' % f["version"]) != '"%d"' % f["version"]: return self.problem(412, "somebody else was faster")
                f["version"] += 1; emit("verdict", f); self.send(f, ETag='"%d"' % len(HISTORY[i]))
            case ["GET", "flags", i, "verdicts"]: self.items(HISTORY.get(i, []))
            case ["GET", "flags", i]:
                self.send(next(f for fs in FLAGS.values() for f in fs if f["id"] == i), ETag='"%d"' % len(HISTORY.get(i, [])))
            case ["GET", "events"]: self.events()
            case ["POST", "uploads"]:
                meta = {k: base64.b64decode(v).decode() for k, _, v in (m.partition(" ") for m in self.headers.get("Upload-Metadata", "").split(",") if m)}
                u = dict(id=ID(), filename=meta.get("filename", "file"), length=int(self.headers["Upload-Length"]), offset=0,
                         state="receiving", kind=None, refusal=None, simulation_id=None, test_id=None, sha256=None)
                UPLOADS[u["id"]] = (u, hashlib.sha256(), io.BytesIO()); self.body()
                self.send(b"", 201, Location=f"/api/v1/uploads/{u['id']}", Tus_Resumable="1.0.0", Upload_Offset="0")
            case ["HEAD", "uploads", i]:
                u = UPLOADS[i][0]; self.send(b"", 200, Upload_Offset=str(u["offset"]), Upload_Length=str(u["length"]), Tus_Resumable="1.0.0", Cache_Control="no-store")
            case ["PATCH", "uploads", i]: self.receive(*UPLOADS[i])
            case ["DELETE", "uploads", i]: UPLOADS.pop(i); self.send(b"", 204, Tus_Resumable="1.0.0")
            case ["GET", "uploads", i]: self.send(UPLOADS[i][0])
            case ["GET", "uploads"]: self.items(u[0] for u in UPLOADS.values())
            case _: self.problem(404, f"no such place: {verb} {'/'.join(p)}")

    def receive(self, u, digest, file):
        body = self.body()
        sum_ = self.headers.get("Upload-Checksum")
        if sum_ and base64.b64decode(sum_.split(" ")[1]) != hashlib.sha256(body).digest(): return self.send(b"", 460, Tus_Resumable="1.0.0")
        digest.update(body); file.write(body); u["offset"] += len(body)
        head = file.getvalue()[:8]
        good = head == b"\x89HDF\r\n\x1a\n" or u["filename"].endswith(".json")
        if not good: u.update(state="refused", refusal=f"{u['filename']}: not an HDF5 file (starts with {head!r}); expected a VTKHDF simulation or a test record .h5")
        elif u["offset"] == u["length"]:
            u.update(state="reading", sha256=digest.hexdigest()); emit("upload", dict(u))
            threading.Timer(0.6, self.accept, [u, file]).start()
        emit("upload", dict(u))
        self.send(b"", 204, Upload_Offset=str(u["offset"]), Tus_Resumable="1.0.0")

    def accept(self, u, file):
        if u["filename"].endswith(".json"): u.update(state="accepted", kind="sidecar")
        else:
            h = h5py.File(io.BytesIO(file.getvalue()))
            if "VTKHDF" in h: u.update(state="accepted", kind="simulation", simulation_id=add_simulation(u["filename"].rsplit(".", 1)[0], u["sha256"])["id"])
            else: u.update(state="accepted", kind="test", test_id=add_test(str(h.attrs.get("test_id", u["filename"])), sha=u["sha256"])["id"])
        emit("upload", dict(u))

    def events(self):
        last = int(self.headers.get("Last-Event-ID") or len(EVENTS))
        self.send_response(200); self.send_header("Content-Type", "text/event-stream"); self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close"); self.end_headers()
        q = queue.Queue()
        with LOCK:
            for e in EVENTS[last:]: q.put(e)
            WAITING.append(q)
        try:
            self.wfile.write(b": hello\n\n"); self.wfile.flush()
            while True:
                try: i, name, text = q.get(timeout=15)
                except queue.Empty: self.wfile.write(b": still here\n\n"); self.wfile.flush(); continue
                self.wfile.write(f"id: {i}\nevent: {name}\ndata: {text}\n\n".encode()); self.wfile.flush()
        except OSError: pass
        finally:
            WAITING.remove(q); self.close_connection = True

    def campaign(self, c, whole=False):
        tests = [t for t in TESTS.values() if t["campaign_id"] == c["id"]]
        ids = {t["id"]: t for t in tests}
        flags = [f for r in REVIEWS.values() if r["test_id"] in ids for f in FLAGS[r["id"]]]
        out = dict(c, tests=len(tests), open_flags=sum(f["verdict"]["state"] == "open" for f in flags))
        if whole:
            out["tests"] = tests; parts = {}
            for f in flags:
                p = parts.setdefault(f["part_name"], dict(part_name=f["part_name"], tests=set(), worst_mm=0))
                p["tests"].add(REVIEWS[f["review_id"]]["test_id"]); p["worst_mm"] = max(p["worst_mm"], f["peak_mm"])
            out["parts"] = [dict(part_name=p["part_name"], tests_flagged=len(p["tests"]), worst_mm=p["worst_mm"]) for p in parts.values()]
        return out


print(f"http://127.0.0.1:{arguments.port}", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", arguments.port), Door).serve_forever()
