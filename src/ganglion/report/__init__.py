"""Reports on runs: HTML pages, charts, comparisons, videos."""
