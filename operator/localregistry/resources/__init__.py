"""What a LocalRegistry becomes: one module per child, pure functions from spec to dict."""
