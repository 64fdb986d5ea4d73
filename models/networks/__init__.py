"""Networks: generators and critics of vectors, images, tables."""
