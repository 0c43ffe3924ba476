"""Where calls are taken, and where a person is asked."""
