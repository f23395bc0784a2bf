"""The worker image and, for tests on machines without one, a private Docker engine."""
