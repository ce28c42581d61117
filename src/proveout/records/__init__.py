"""Records that rooms hand to each other: frozen, of plain values, each with a JSON form. A module for each subject."""
