"""Records that packages exchange: frozen, of plain values, each with a JSON form. One module per subject."""
