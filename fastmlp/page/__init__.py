"""Pages that need nothing else: text, tables and charts in one HTML file, without a network."""
