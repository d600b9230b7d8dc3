"""Which of the answers that were given somebody should look at, and why."""
