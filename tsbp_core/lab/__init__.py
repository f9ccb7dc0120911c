"""What studies share: results and how they were made, checkpoints, statistics, datasets."""
