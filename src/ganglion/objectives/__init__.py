"""What the two players contest: pure functions of logits."""
