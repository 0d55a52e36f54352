"""An adapter that ends its process, politely, when it is imported."""

import sys

sys.exit("not on this machine")
