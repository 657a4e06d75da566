"""What all tests share."""

import os

from hypothesis import settings

# No deadline: one example's wall time says nothing on a shared machine. CI prints the blob that
# reproduces a failure elsewhere.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")
