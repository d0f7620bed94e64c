"""Image files: sample sheets, videos and figures."""
