#!/usr/bin/env python3
"""Load on a running service: 8 live cameras, 50 API clients and one 2 GB upload for 2 minutes.

    crumple serve --demo fixtures/example &  then  scripts/load.py [--url http://127.0.0.1:8080] [--seconds 120]

Needs h5py and numpy. Prints requests, errors other than the stated "busy" (503), latencies, the live figures and the
service's memory at the begin and the end; ends with 1 when there was an error.
"""
import argparse, base64, collections, http.client, json, os, statistics, sys, threading, time, urllib.parse

parser = argparse.ArgumentParser()
parser.add_argument("--url", default="http://127.0.0.1:8080")
parser.add_argument("--seconds", type=float, default=120)
parser.add_argument("--clients", type=int, default=50)
parser.add_argument("--cameras", type=int, default=8)
parser.add_argument("--upload-gb", type=float, default=2.0)
parser.add_argument("--film", default="fixtures/example/test.h5")
words = parser.parse_args()
HOST = urllib.parse.urlparse(words.url).netloc
END = time.monotonic() + words.seconds
seconds, errors, busy, lock = collections.defaultdict(list), [], collections.Counter(), threading.Lock()


def ask(connection, method, path, body=None, headers=None, name=None):
    begun = time.monotonic()
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    text = answer.read()
    with lock:
        seconds[name or method + " " + path.split("?")[0]].append(time.monotonic() - begun)
        if answer.status == 503:
            busy[name] += 1
        elif answer.status >= 400:
            errors.append((answer.status, method, path, text[:300]))
    return answer.status, text, answer.headers


def call(method, path, thing=None):
    connection = http.client.HTTPConnection(HOST, timeout=60)
    body = None if thing is None else json.dumps(thing)
    status, text, _ = ask(connection, method, path, body, {"content-type": "application/json"}, "set-up")
    return status, json.loads(text or b"null")


def memory_mb():
    connection = http.client.HTTPConnection(HOST, timeout=60)
    text = ask(connection, "GET", "/metrics", name="/metrics")[1].decode()
    return next((float(l.split()[1]) / 1e6 for l in text.splitlines() if l.startswith("crumple_resident_memory_bytes")), 0)


def client(places):
    connection = http.client.HTTPConnection(HOST, timeout=60)
    i = 0
    while time.monotonic() < END:
        try:
            ask(connection, "GET", places[i % len(places)], name="API")
        except OSError as e:
            with lock:
                errors.append((0, "GET", places[i % len(places)], repr(e)))
            connection = http.client.HTTPConnection(HOST, timeout=60)
        i += 1
        time.sleep(0.2)


def upload(campaign):
    length = int(words.upload_gb * 1e9)
    text = lambda t: base64.b64encode(t.encode()).decode()
    headers = {"upload-length": str(length), "upload-metadata": f"filename {text('load.h5')},campaign_id {text(campaign)}"}
    connection = http.client.HTTPConnection(HOST, timeout=120)
    _, _, head = ask(connection, "POST", "/api/v1/uploads", headers=headers, name="upload")
    place, sent, part = head["location"], 0, bytearray(os.urandom(8 << 20))
    # Passes for HDF5 until the reader sees all of it: its signature and a version that only the library can judge.
    part[:9] = b"\x89HDF\r\n\x1a\n\x09"
    begun = time.monotonic()
    while sent < length:
        body = bytes(part[: min(len(part), length - sent)])
        headers = {"upload-offset": str(sent), "content-type": "application/offset+octet-stream"}
        if ask(connection, "PATCH", place, body, headers, "upload part")[0] != 204:
            return
        sent += len(body)
        # Spread over the whole time, as a slow line would.
        time.sleep(max(0.0, words.seconds * 0.9 * sent / length - (time.monotonic() - begun)))


def live(campaign, simulation, report):
    import h5py, numpy as np
    with h5py.File(words.film) as film:
        names = list(film["cameras"])
        cameras, frames = [], []
        for i in range(words.cameras):
            c = film["cameras"][names[i % len(names)]]
            k = c["intrinsics"][:]
            cameras.append({"name": f"cam{i}", "width": c["frames"].shape[2], "height": c["frames"].shape[1],
                "intrinsics": [k[0, 0], k[1, 1], k[0, 2], k[1, 2]], "distortion": list(c["distortion"][:]),
                "pose": list(c["pose"][:].ravel()), "times_s": [float(t) for t in c["time"][:]],
                "targets": [{"world_mm": list(w), "image_px": list(p)} for w, p in zip(c["targets/world"][:], c["targets/image"][:])]})
            frames.append(c["frames"][:].astype(np.uint8))
    begin = {"simulation_id": simulation, "campaign_id": campaign, "name": "load", "cameras": cameras}
    status, row = call("POST", "/api/v1/live", begin)
    if status != 201:
        return
    count, connection = len(cameras[0]["times_s"]), http.client.HTTPConnection(HOST, timeout=60)
    for index in range(count):
        for camera, film in zip(cameras, frames):
            query = urllib.parse.urlencode({"camera": camera["name"], "time_s": repr(camera["times_s"][index])})
            ask(connection, "POST", f"/api/v1/live/{row['id']}/frames?{query}", film[index].tobytes(), name="live frame")
        time.sleep(max(0.0, 0.9 * words.seconds / count))
    report.update(call("GET", f"/api/v1/live/{row['id']}")[1])
    call("POST", f"/api/v1/live/{row['id']}/end", {})


simulations = call("GET", "/api/v1/simulations")[1]["items"]
if not simulations:
    sys.exit("the service has no simulation yet: start it with --demo and wait a moment")
campaign = call("POST", "/api/v1/campaigns", {"name": f"Load {time.time():.0f}"})[1]["id"]
places = ["/api/v1/campaigns", "/api/v1/tests", "/api/v1/reviews", "/api/v1/flags", "/api/v1/jobs", "/healthz"]
done = call("GET", "/api/v1/reviews?state=finished")[1]["items"]
if done:
    places += [f"/api/v1/reviews/{done[0]['id']}/{what}" for what in ("result", "mesh", "states/3", "plots")]
before, report = memory_mb(), {}
threads = [threading.Thread(target=client, args=(places[i % 3:],)) for i in range(words.clients)]
threads += [threading.Thread(target=upload, args=(campaign,)), threading.Thread(target=live, args=(campaign, simulations[0]["id"], report))]
for thread in threads:
    thread.start()
course = []
while any(t.is_alive() for t in threads):
    time.sleep(5)
    course.append(memory_mb())
print(f"memory MB: {before:.0f} before, {max(course):.0f} at most, {memory_mb():.0f} after; every 5 s:", *(f"{mb:.0f}" for mb in course))
for name, all_s in sorted(seconds.items()):
    ordered = sorted(all_s)
    print(f"{name:14} {len(ordered):6} answers, median {1e3 * statistics.median(ordered):7.1f} ms, 99 % {1e3 * ordered[int(0.99 * (len(ordered) - 1))]:7.1f} ms")
print("live:", {k: report.get(k) for k in ("received", "reviewed", "behind", "flagged", "p50_ms", "p99_ms", "rate_note")})
print("busy:", dict(busy), "errors:", len(errors), errors[:5])
sys.exit(1 if errors else 0)
