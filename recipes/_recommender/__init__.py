"""Parts of `recipes.recommender`."""
