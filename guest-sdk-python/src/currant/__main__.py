"""`python -m currant`."""

import sys

from currant._cli.main import main

sys.exit(main())
