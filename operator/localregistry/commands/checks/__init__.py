"""What `doctor` judges: each module takes the survey and yields findings, and reads nothing."""
