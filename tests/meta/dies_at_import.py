"""A framework that kills the process which imports it."""

import os

os.abort()
