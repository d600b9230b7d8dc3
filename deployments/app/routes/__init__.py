"""The routes of the served application, a file per family."""
