"""One self-contained HTML file about an evaluation: words, tables, plots, and a globe on which packets travel."""
