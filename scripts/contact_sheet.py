#!/usr/bin/env python3
"""A contact sheet: frames of test records side by side, each with its name.

usage: scripts/contact_sheet.py OUT.jpg COLUMNS WIDTH_PX FILE.h5[:CAMERA[:FRAME]] …

Without CAMERA the first one, without FRAME the one after two thirds of the film. Needs numpy, h5py and pillow.
"""
import os, sys
import h5py
import numpy as np
from PIL import Image, ImageDraw


def tile(word, width):
    path, camera, frame = (word.split(":") + ["", ""])[:3]
    with h5py.File(path, "r") as f:
        cameras = f["cameras"]
        camera = camera or sorted(cameras)[0]
        frames = cameras[camera]["frames"]
        index = int(frame) if frame else 2 * len(frames) // 3
        picture = frames[index]
    if picture.dtype == np.uint16:
        picture = (picture >> 8).astype(np.uint8)
    image = Image.fromarray(picture).convert("L")
    image = image.resize((width, width * image.height // image.width), Image.LANCZOS)
    draw = ImageDraw.Draw(image)
    name = f"{os.path.basename(path)[:-3]} {camera}"
    draw.rectangle([0, 0, 6 * len(name) + 6, 12], fill=0)
    draw.text((3, 1), name, fill=255)
    return image


def main():
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    out, columns, width = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    tiles = [tile(word, width) for word in sys.argv[4:]]
    height = max(t.height for t in tiles)
    rows = -(-len(tiles) // columns)
    sheet = Image.new("L", (columns * width, rows * height))
    for i, t in enumerate(tiles):
        sheet.paste(t, (i % columns * width, i // columns * height))
    sheet.save(out, quality=75, optimize=True)
    print(f"{out}: {len(tiles)} frames, {os.path.getsize(out)} bytes")


if __name__ == "__main__":
    main()
