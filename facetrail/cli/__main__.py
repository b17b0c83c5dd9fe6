"""`python -m facetrail.cli`, where the command itself is not on the PATH."""

import sys

from facetrail.cli import main

sys.exit(main())
