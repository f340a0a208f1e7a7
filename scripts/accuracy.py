#!/usr/bin/env python3
"""Accuracy as one command: films pairs of runs with known truth, reviews them, scores them, prints one table.

usage: scripts/accuracy.py [--data ../shared] [--pairs FILE | --count N] [--seed N] [--look NAME] [--out DIR]
                           [--study] [--dent] [--program target/release/crumple] [-- REVIEW OPTIONS]

Each line of FILE is FAMILY SIMULATION FILMED SEED [LOOK], for example `crash_box run_000 run_007 3 speckle`. Without
FILE the pairs are drawn: N for each family, of different runs, and one identical pair a family. The shared filmed
tests come first with --shared. What is after -- goes to `crumple review`, for example
`-- --residual onnx --model models/residual.onnx`. Needs numpy and h5py, as score.py does.
"""
import argparse, json, os, random, resource, shutil, subprocess, sys, time

COLUMNS = [
    ("error_left", "left", "{:.3f}"), ("error_left_all", "left all", "{:.3f}"), ("error_px.median", "px 50%", "{:.2f}"),
    ("error_px.p90", "px 90%", "{:.2f}"), ("coverage", "cover", "{:.2f}"), ("within_2_sigma", "2 sigma", "{:.2f}"),
    ("element_flags.f1", "F1", "{:.2f}"), ("element_flags.fp", "fp", "{:d}"), ("parts_truly_off", "off", "{:d}"),
    ("parts_missed", "missed", "{:d}"), ("parts_false", "false", "{:d}"), ("onset", "onset", "{}"), ("pole", "pole mm", "{:.1f}"),
    ("cpu_s", "cpu s", "{:.0f}"),
]


def arguments():
    own, review = sys.argv[1:], []
    if "--" in own:
        at = own.index("--"); own, review = own[:at], own[at + 1:]
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
    p.add_argument("--data", default=os.path.join(root, "../shared"), help="folder with data/ and check/score.py")
    p.add_argument("--pairs", help="list of pairs")
    p.add_argument("--count", type=int, default=2, help="pairs drawn for each family [2]")
    p.add_argument("--families", help="only these, separated by commas")
    p.add_argument("--shared", action="store_true", help="the shared filmed tests, too")
    p.add_argument("--study", action="store_true", help="each review hears the study, without the run that was filmed")
    p.add_argument("--dent", action="store_true", help="the run that is filmed gets a dent of 15 mm that no run has (dent.py)")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--look", help="one look for all drawn pairs [by the seed]")
    p.add_argument("--out", default=os.path.join(root, "out/accuracy"))
    p.add_argument("--program", default=os.path.join(root, "target/release/crumple"))
    p.add_argument("--nice", type=int, default=10)
    return p.parse_args(own), review


def pairs_of(a):
    if a.pairs:
        for line in open(a.pairs):
            words = line.split("#")[0].split()
            if words:
                yield tuple(words[:4]) + (words[4] if len(words) > 4 else "random",)
        return
    rng = random.Random(a.seed)
    folder = os.path.join(a.data, "data/simulations")
    families = sorted(f for f in os.listdir(folder) if os.path.isdir(os.path.join(folder, f)))
    for family in families:
        if a.families and family not in a.families.split(","):
            continue
        runs = sorted(f[:-7] for f in os.listdir(os.path.join(folder, family)) if f.endswith(".vtkhdf"))
        look = a.look or "random"
        one = rng.choice(runs)
        yield family, one, one, str(rng.randrange(10**6)), look
        for _ in range(a.count):
            predicts, filmed = rng.sample(runs, 2)
            yield family, predicts, filmed, str(rng.randrange(10**6)), look


def study_of(family, filmed, a, base):
    """A list of the family's runs but for the one that was filmed, as `--study` takes it."""
    folder = os.path.abspath(os.path.join(a.data, "data/simulations", family))
    runs = [f for f in sorted(os.listdir(folder)) if f.endswith(".vtkhdf") and f[:-7] != filmed]
    with open(base + ".study.json", "w") as f:
        json.dump({"runs": [{"file": os.path.join(folder, r)} for r in runs]}, f)
    return ["--study", base + ".study.json"]


def dented(simulation, base, seed, look, a):
    """The simulation with a dent where two cameras of the film to come see it."""
    out = base + ".dented.vtkhdf"
    shutil.copy(simulation[:-7] + ".json", out[:-7] + ".json")
    plain = [a.program, "film", simulation, "--out", base + ".plain.h5", "--truth", base + ".plain.truth.h5", "--seed", seed,
             "--look", look, "--quiet"]
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "dent.py")
    press = [sys.executable, script, simulation, out, "--seed", seed, "--seen-by", base + ".plain.h5", "--width-mm", "24"]
    for command in (plain, press):
        done, _, _ = run(command, a.nice)
        if done.returncode:
            sys.exit(f"{base}: {done.stderr.strip()}")
    return out


def run(command, nice):
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.time()
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=lambda: os.nice(nice))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done, cpu, time.time() - begun


def value(score, key):
    for part in key.split("."):
        score = score.get(part) if isinstance(score, dict) else None
    return score


def pole_off_mm(review, filmed):
    """How far beside its place the review has a cylinder that hits, mm; None without one."""
    with open(os.path.join(review, "review.json")) as f:
        place = ((json.load(f).get("impactor") or {}).get("place"))
    if not place or not os.path.exists(filmed):
        return None
    with open(filmed) as f:
        body = json.load(f).get("impactor") or {}
    if body.get("kind") != "CYL":
        return None
    return place["at_mm"] - sum(a * b for a, b in zip(place["across"], body["x"]))


def row(name, cells, widths):
    print("  ".join([name.ljust(widths[0])] + [c.rjust(w) for c, w in zip(cells, widths[1:])]), flush=True)


def main():
    a, options = arguments()
    os.makedirs(a.out, exist_ok=True)
    jobs = []
    if a.shared:
        tests = os.path.join(a.data, "data/tests")
        for f in sorted(os.listdir(tests)):
            if f.endswith(".h5") and ".truth." not in f:
                family = f.split("-")[0]
                study = ["--study", os.path.join(a.data, "data/simulations", family)] if a.study else ["--no-study"]
                jobs.append((f[:-3], os.path.join(a.data, "data/simulations", family, "run_000.vtkhdf"),
                             os.path.join(tests, f), os.path.join(tests, f[:-3] + ".truth.h5"), None, study,
                             os.path.join(tests, f[:-3] + ".truth.json")))
    for family, predicts, filmed, seed, look in pairs_of(a):
        name = f"{family} {predicts[4:]}<{filmed[4:]} {look[:8]} #{seed}"
        base = os.path.join(a.out, f"{family}-{predicts}-{filmed}-{seed}-{look}")
        simulation = lambda r: os.path.join(a.data, "data/simulations", family, r + ".vtkhdf")
        shown = dented(simulation(filmed), base, seed, look, a) if a.dent else simulation(filmed)
        film = [a.program, "film", shown, "--out", base + ".h5", "--truth", base + ".truth.h5",
                "--seed", seed, "--look", look, "--quiet"]
        study = study_of(family, filmed, a, base) if a.study else ["--no-study"]
        jobs.append((name, simulation(predicts), base + ".h5", base + ".truth.h5", film, study,
                     simulation(filmed)[:-7] + ".json"))
    widths = [max([len(j[0]) for j in jobs] + [8])] + [max(len(c[1]), 6) for c in COLUMNS]
    row("pair", [c[1] for c in COLUMNS], widths)
    results = []
    for name, simulation, test, truth, film, study, about in jobs:
        look = ""
        if film:
            filmed, _, _ = run(film, a.nice)
            if filmed.returncode:
                sys.exit(f"{name}: filming ended with {filmed.returncode}: {filmed.stderr.strip()}")
            look = filmed.stdout.split("look ")[1].split(",")[0]
        out = os.path.join(a.out, os.path.basename(test)[:-3] + ".review")
        reviewed, cpu, _ = run([a.program, "review", simulation, test, "--out", out, "--no-report", "--quiet"] + study + options, a.nice)
        if reviewed.returncode:
            print(f"{name} ({look}): the review ended with {reviewed.returncode}: {reviewed.stderr.strip()}", flush=True)
            continue
        scored, _, _ = run([sys.executable, os.path.join(a.data, "check/score.py"), simulation, test, truth, out, "--json"], a.nice)
        if scored.returncode:
            sys.exit(f"{name}: score.py failed: {scored.stderr.strip()}")
        score = json.loads(scored.stdout)
        onsets = [abs(o) for o in score["onset_error_frames"]]
        score |= {"cpu_s": cpu, "name": name, "look": look, "onset": f"{max(onsets):.1f}" if onsets else "-",
                  "pole": pole_off_mm(out, about)}
        results.append(score)
        cells = [fmt.format(v) if (v := value(score, key)) is not None else "-" for key, _, fmt in COLUMNS]
        row(name, cells, widths)
    with open(os.path.join(a.out, "scores.json"), "w") as f:
        json.dump(results, f, indent=1)
    numbers = lambda key: sorted(v for v in (value(s, key) for s in results) if isinstance(v, (int, float)))
    middle = [(n[len(n) // 2] if (n := numbers(key)) else None) for key, _, _ in COLUMNS]
    row("median", [fmt.format(v) if v is not None else "-" for v, (_, _, fmt) in zip(middle, COLUMNS)], widths)


if __name__ == "__main__":
    main()
