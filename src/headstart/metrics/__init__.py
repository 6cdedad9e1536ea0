"""What is scored: accuracy and its kin, probabilities, CKA, AUROC, with intervals."""
