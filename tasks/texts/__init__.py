"""What texts are made of, in any script: pure functions that many use."""
