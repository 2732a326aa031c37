"""The page: its template, style and scripts, which `write_report` puts into one file."""
