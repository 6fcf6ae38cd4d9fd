"""``python -m fastmlp`` is the command ``fastmlp``."""

from __future__ import annotations

import sys

from fastmlp.cli import main

sys.exit(main())
