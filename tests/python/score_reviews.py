"""Scores several reviews of one film by the shared scorer, one line of JSON each.

usage: score_reviews.py SCORE.PY SIMULATION TEST TRUTH REVIEW_DIR…

What a camera sees does not depend on the review, and finding it out is nearly all that the scorer does: it is asked once.
"""

import importlib.util
import sys


def seen_once(visible):
    """The scorer's `visible`, which answers what it was asked before from memory. All reviews have the film's triangles."""
    seen = {}

    def ask(positions, triangles, pose, intrinsics, distortion, shape):
        key = (*(a.tobytes() for a in (positions, pose, intrinsics, distortion)), shape)
        if key not in seen:
            seen[key] = visible(positions, triangles, pose, intrinsics, distortion, shape)
        return seen[key]

    return ask


def main():
    scorer, *files = sys.argv[1:]
    spec = importlib.util.spec_from_file_location("score", scorer)
    score = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(score)
    score.visible = seen_once(score.visible)
    for review in files[3:]:
        sys.argv = [scorer, *files[:3], review, "--json"]
        score.main()


main()
