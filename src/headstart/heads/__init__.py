"""What is trained on embeddings: scikit-learn estimators, and the numpy forms that they predict through."""
