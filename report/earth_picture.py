"""A picture of the Earth for the globe: Natural Earth's shaded relief, in the public domain, as cartopy ships it."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import cartopy
from PIL import Image

FOLDER = Path("raster") / "natural_earth"
CREDIT = "Made with Natural Earth (public domain), picture shipped by cartopy"
_QUALITY = 80


def earth_picture() -> str:
    """The picture in plate carrée projection, 180 W to 180 E, as a data URL of some 40 kB."""
    folder = Path(cartopy.config["repo_data_dir"]) / FOLDER
    name = json.loads((folder / "images.json").read_text())["ne_shaded"]["low"]
    with Image.open(folder / name) as picture:
        compact = io.BytesIO()
        picture.convert("RGB").save(compact, "WEBP", quality=_QUALITY, method=6)
    return f"data:image/webp;base64,{base64.b64encode(compact.getvalue()).decode('ascii')}"
