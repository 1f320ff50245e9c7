"""Files and folders, written whole or not at all, and documents of JSON."""
