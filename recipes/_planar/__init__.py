"""Games on the plane and their solvers."""
