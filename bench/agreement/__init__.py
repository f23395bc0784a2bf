"""Programs graded by several graders, and an account of every verdict in which they differ."""
