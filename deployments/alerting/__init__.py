"""What watches a project while it runs: flows, schedules, parts, stores, disk and clock."""
