"""``python -m adnorm.cli``."""

import sys

from adnorm.cli import main

sys.exit(main())
