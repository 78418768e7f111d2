"""The LocalRegistry resource as frozen data: pure, and the same rules as the CRD's schema."""
