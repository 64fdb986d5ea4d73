"""Linear algebra of arrays and matrix-vector products; no games."""
