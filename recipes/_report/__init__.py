"""Tables, curves and pictures that recipes share."""
