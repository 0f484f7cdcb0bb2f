"""`python -m tiro_client`: the same as `tiro`."""

import sys

from tiro_client.cli.main import main

sys.exit(main())
