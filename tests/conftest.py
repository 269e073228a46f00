"""One cache for all tests, beside the checkout: emulators are built once, models trained once."""

import os
from pathlib import Path

CACHE = Path(__file__).resolve().parents[1] / ".cache" / "tests"
os.environ["HARNESS_CACHE_DIR"] = str(CACHE)
os.environ["HARNESS_STATE_DIR"] = str(CACHE / "state")
