#!/usr/bin/env python3
"""Fills a service that was started with --demo, and prints a schemathesis.toml that names what is then there.

usage: scripts/api_examples.py URL
"""
import json, sys, time, urllib.request

PATIENCE_S = 900


def ask(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)


def when(what, question, good):
    """The answer as soon as it is good."""
    until = time.time() + PATIENCE_S
    while time.time() < until:
        answer = question()
        if good(answer):
            return answer
        time.sleep(1)
    sys.exit(f"{what}: not within {PATIENCE_S} s")


def main():
    api = sys.argv[1] + "/api/v1"
    items = lambda name: ask(f"{api}/{name}")["items"]
    reviews = when("reviews", lambda: items("reviews"), lambda found: any(r["flags"] and r["finished_at"] for r in found))
    review = next(r for r in reviews if r["flags"] and r["finished_at"])
    when("a study", lambda: ask(f"{api}/studies"), lambda found: bool(found["items"] if isinstance(found, dict) else found))
    asked = ask(f"{api}/reviews/{review['id']}/suggestions", {"next_runs": 2})
    suggestion = f"{api}/suggestions/{asked['id']}"
    when("the suggestion", lambda: ask(suggestion), lambda s: s["suggestion"]["state"] == "finished")
    batch = ask(f"{api}/reviews", {"pairs": [{"simulation_id": review["simulation_id"], "test_id": review["test_id"]}]})
    ids = {
        "batches": batch["batch_id"], "campaigns": review["campaign_id"], "flags": items("flags")[0]["id"],
        "jobs": items("jobs")[0]["id"], "live": items("live")[0]["id"], "reviews": review["id"],
        "simulations": review["simulation_id"], "suggestions": asked["id"], "tests": review["test_id"],
        "uploads": items("uploads")[0]["id"],
    }
    more = {
        "/reviews/{id}/pictures": {"path.camera": "left", "path.file": "3.jpg"},
        "/reviews/{id}/plots/": {"path.file": ask(f"{api}/reviews/{review['id']}/plots")[0]["name"] + ".svg"},
        "/reviews/{id}/states": {"path.moment": 3},
        "/reviews/{id}/flag_elements": {"path.moment": 3},
        "/suggestions/{id}/changes": {"path.rank": 1},
    }
    # The first table that fits is taken.
    for path, parameters in more.items():
        table(path, parameters | {"path.id": ids[path.split("/")[1]]})
    for kind, id in ids.items():
        table(f"/{kind}/{{id}}", {"path.id": id})


def table(path, parameters):
    pattern = "^/api/v1" + path.replace("{", "\\\\{").replace("}", "\\\\}")
    values = ", ".join(f'"{name}" = {json.dumps(value)}' for name, value in parameters.items())
    print(f'[[operations]]\ninclude-path-regex = "{pattern}"\nparameters = {{ {values} }}\n')


main()
