"""What production is like: how good its answers are, by the scorers of an evaluation."""
