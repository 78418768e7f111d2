"""Every command of the documentation is run by a test, which is named above the block."""
